"""The proof of the boards: every place on every board against the admin ranking, which reads all databases.

Of each board some players' places are asked for by themselves, too. The ranking marks banned players; they have no
place on a board.

The law: a board follows the ledger with a delay, so it gets up to CATCH_UP_SECONDS to become equal; how long that
took is reported.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any, NamedTuple

from bots.play.catalogue import ExpBoard, parse_boards, parse_names
from bots.proof.invariants import BOARDS, Fault
from bots.proof.pages import Asker, get, read_pages
from bots.wire.errors import BadAnswerError

CATCH_UP_SECONDS = 10.0
RETRY_SECONDS = 0.25
BOARD_PAGE = 200
RANKING_PAGE = 1000
NAMED = 10
MILLISECONDS = 3


class BoardPlace(NamedTuple):
    """One place on a board.

    Equal scores are ordered by the time at which they were reached, in microseconds, then by id. If the board shows
    times in milliseconds, the order within one millisecond can't be checked: `tie` is 0 and either order is right.
    """

    rank: int
    player_id: str
    score: int
    reached_at: datetime
    tie: int


@dataclass(slots=True)
class BoardVerdict:
    """How one board compares with the databases; `seconds` is how long it took to catch up."""

    board: str
    entries: int = 0
    seconds: float = 0.0
    differences: list[str] = field(default_factory=list)


async def prove_boards(player: Asker, admin: Asker, patience: float = CATCH_UP_SECONDS) -> list[BoardVerdict]:
    """Compare every board with the rankings of its players, for at most `patience` seconds; raises NotProvedError."""
    classes = parse_names(await get(player, "/v1/classes"), "classes")
    boards = parse_boards(await get(player, "/v1/boards"), classes)
    if "exp" not in {board.name for board in boards}:
        boards.insert(0, ExpBoard("exp", None))
    return [*await asyncio.gather(*(_prove(board, player, admin, patience) for board in boards))]


async def _prove(board: ExpBoard, player: Asker, admin: Asker, patience: float) -> BoardVerdict:
    """Compare one board until it equals the ranking, or the time to catch up is over."""
    now = asyncio.get_running_loop().time
    started = now()
    while True:
        verdict = await _compare(board, player, admin)
        verdict.seconds = now() - started
        if not verdict.differences or verdict.seconds >= patience:
            return verdict
        await asyncio.sleep(RETRY_SECONDS)


async def _compare(board: ExpBoard, player: Asker, admin: Asker) -> BoardVerdict:
    of_class = "" if board.class_name is None else f"&class={board.class_name}"
    try:
        ranking = parse_ranking(await read_pages(admin, f"/admin/v1/rankings?by=exp&limit={RANKING_PAGE}{of_class}"))
        places = parse_board(await read_pages(player, f"/v1/boards/{board.name}?limit={BOARD_PAGE}"))
    except BadAnswerError as error:
        return BoardVerdict(board.name, differences=[Fault(BOARDS, f"board {board.name}: {error}")])
    told_of = [*differences(places, ranking), *await _compare_single(board, player, places)]
    found = [Fault(BOARDS, f"board {board.name}: {told}") for told in told_of]
    return BoardVerdict(board.name, len(places), differences=[*found])


async def _compare_single(board: ExpBoard, player: Asker, places: Sequence[BoardPlace]) -> list[str]:
    """Compare the first, the middle and the last place of a board with what a question for these players is told."""
    if not places:
        return []
    some = list(dict.fromkeys((places[0], places[len(places) // 2], places[-1])))
    ids = ",".join(place.player_id for place in some)
    body = await get(player, f"/v1/boards/{board.name}/ranks?ids={ids}")
    try:
        return single_differences(some, parse_board(body.get("entries") or ()))
    except BadAnswerError as error:
        return [str(error)]


def single_differences(places: Sequence[BoardPlace], asked: Sequence[BoardPlace]) -> list[str]:
    """Return the differences between places on a board and what its players are told of them, a sentence each."""
    told = {place.player_id: f"rank {place.rank} with {place.score}" for place in asked}
    shown = {place.player_id: f"rank {place.rank} with {place.score}" for place in places}
    return [
        f"{player} has {shown[player]} on the board, and {told.get(player, 'no place')} when it is asked for"
        for player in shown
        if told.get(player) != shown[player]
    ]


def parse_board(entries: Iterable[Any]) -> list[BoardPlace]:
    """Read a board's entries; raises BadAnswerError."""
    try:
        return [_place(entry) for entry in entries]
    except (KeyError, TypeError, ValueError) as error:
        raise BadAnswerError(f"a board entry lacks a field or has a wrong one: {error}") from error


def _place(entry: Any) -> BoardPlace:
    shown = entry["reached_at"]
    digits = shown.partition(".")[2].rstrip("Z").partition("+")[0]
    player_id = entry["player"]["id"]
    tie = int(player_id) if len(digits) > MILLISECONDS else 0
    return BoardPlace(int(entry["rank"]), player_id, int(entry["score"]), datetime.fromisoformat(shown), tie)


def parse_ranking(entries: Iterable[Any]) -> list[tuple[str, int]]:
    """Read the id and EXP of a ranking's entries, but for banned players; raises BadAnswerError."""
    try:
        players: list[Mapping[str, Any]] = [entry.get("player", entry) for entry in entries]
        return [(player["id"], player["exp"]) for player in players if not player.get("banned")]
    except (KeyError, TypeError, AttributeError) as error:
        raise BadAnswerError(f"a ranking entry lacks {error}") from error


def differences(places: Sequence[BoardPlace], ranking: Sequence[tuple[str, int]]) -> list[str]:
    """Return the differences between a board and the databases' ranking, a sentence each."""
    sentences = _repeats("board", [place.player_id for place in places])
    sentences += _repeats("ranking", [player_id for player_id, _ in ranking])
    on_board = {place.player_id: place.score for place in places}
    stored = dict(ranking)
    sentences += _first_few(f"{player} is missing on the board" for player in stored.keys() - on_board.keys())
    sentences += _first_few(f"{player} is only on the board" for player in on_board.keys() - stored.keys())
    sentences += _first_few(
        f"{player} has {on_board[player]} on the board and {stored[player]} in the database"
        for player in stored.keys() & on_board.keys()
        if on_board[player] != stored[player]
    )
    return sentences + _order(places)


def _repeats(where: str, ids: Sequence[str]) -> list[str]:
    return [] if len(set(ids)) == len(ids) else [f"{len(ids) - len(set(ids))} players are on the {where} twice"]


def _first_few(sentences: Iterable[str]) -> list[str]:
    """Keep the first few sentences, and say how many more there are."""
    ordered = sorted(sentences)
    more = len(ordered) - NAMED
    return ordered[:NAMED] + ([f"and {more} more like the last"] if more > 0 else [])


def _order(places: Sequence[BoardPlace]) -> list[str]:
    wrong = [place for number, place in enumerate(places, 1) if place.rank != number]
    sentences = _first_few(f"{place.player_id} has rank {place.rank}, which isn't its place" for place in wrong)
    swapped = [(upper, lower) for upper, lower in pairwise(places) if _key(upper) > _key(lower)]
    return sentences + _first_few(f"{upper.player_id} stands before {lower.player_id}" for upper, lower in swapped)


def _key(place: BoardPlace) -> tuple[int, datetime, int]:
    return -place.score, place.reached_at, place.tie
