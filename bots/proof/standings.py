"""The proof of the boards: every place on every board against the admin ranking, which asks all databases.

A board follows the ledger, so it is given a little time to catch up; how long it took is reported.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any, NamedTuple

from bots.play.catalogue import Board, parse_boards, parse_names
from bots.proof.pages import get, read_pages
from bots.wire.link import Link
from bots.wire.wire import BadAnswerError

CATCH_UP_SECONDS = 10.0
RETRY_SECONDS = 0.25
BOARD_PAGE = 200
RANKING_PAGE = 1000
NAMED = 10
MILLISECONDS = 3


class Place(NamedTuple):
    """One place on a board.

    Ties go by the time of reaching in microseconds, then by id. Where times are shown in milliseconds, who
    was first within one can't be seen and `tie` is 0: either order is right.
    """

    rank: int
    player_id: str
    score: int
    reached_at: datetime
    tie: int


@dataclass(slots=True)
class BoardVerdict:
    """How one board compares with the database; `seconds` is the time that it took to catch up."""

    board: str
    entries: int = 0
    seconds: float = 0.0
    differences: list[str] = field(default_factory=list)


async def prove_boards(player: Link, admin: Link) -> list[BoardVerdict]:
    """Compare every board with the rankings of its players; raises NotProvedError."""
    classes = parse_names(await get(player, "/v1/classes"), "classes")
    boards = parse_boards(await get(player, "/v1/boards"), classes)
    if "exp" not in {board.name for board in boards}:
        boards.insert(0, Board("exp", None))
    return [await _prove(board, player, admin) for board in boards]


async def _prove(board: Board, player: Link, admin: Link) -> BoardVerdict:
    """Compare one board until it equals the ranking or the time to catch up is over."""
    now = asyncio.get_running_loop().time
    started = now()
    while True:
        verdict = await _compare(board, player, admin)
        verdict.seconds = now() - started
        if not verdict.differences or verdict.seconds > CATCH_UP_SECONDS:
            return verdict
        await asyncio.sleep(RETRY_SECONDS)


async def _compare(board: Board, player: Link, admin: Link) -> BoardVerdict:
    of_class = "" if board.class_name is None else f"&class={board.class_name}"
    try:
        ranking = parse_ranking(await read_pages(admin, f"/admin/v1/rankings?by=exp&limit={RANKING_PAGE}{of_class}"))
        places = parse_board(await read_pages(player, f"/v1/boards/{board.name}?limit={BOARD_PAGE}"))
    except BadAnswerError as error:
        return BoardVerdict(board.name, differences=[str(error)])
    return BoardVerdict(board.name, len(places), differences=differences(places, ranking))


def parse_board(entries: Iterable[Any]) -> list[Place]:
    """Read a board's entries; raises BadAnswerError."""
    try:
        return [_place(each) for each in entries]
    except (KeyError, TypeError, ValueError) as error:
        raise BadAnswerError(f"a board entry is wrong in or without {error}") from error


def _place(entry: Any) -> Place:
    shown = entry["reached_at"]
    digits = shown.partition(".")[2].rstrip("Z").partition("+")[0]
    player_id = entry["player"]["id"]
    tie = int(player_id) if len(digits) > MILLISECONDS else 0
    return Place(int(entry["rank"]), player_id, int(entry["score"]), datetime.fromisoformat(shown), tie)


def parse_ranking(entries: Iterable[Any]) -> list[tuple[str, int]]:
    """Read the id and EXP of a ranking's entries; raises BadAnswerError."""
    try:
        players: list[Mapping[str, Any]] = [each.get("player", each) for each in entries]
        return [(player["id"], player["exp"]) for player in players]
    except (KeyError, TypeError, AttributeError) as error:
        raise BadAnswerError(f"a ranking entry lacks {error}") from error


def differences(places: Sequence[Place], ranking: Sequence[tuple[str, int]]) -> list[str]:
    """Return every difference between a board and the database's ranking as a sentence."""
    found = _repeats("board", [place.player_id for place in places])
    found += _repeats("ranking", [player_id for player_id, _ in ranking])
    on_board = {place.player_id: place.score for place in places}
    kept = dict(ranking)
    found += _some(f"{each} is missing on the board" for each in kept.keys() - on_board.keys())
    found += _some(f"{each} is on the board only" for each in on_board.keys() - kept.keys())
    found += _some(
        f"{each} has {on_board[each]} on the board and {kept[each]} in the database"
        for each in kept.keys() & on_board.keys()
        if on_board[each] != kept[each]
    )
    return found + _order(places)


def _repeats(where: str, ids: Sequence[str]) -> list[str]:
    return [] if len(set(ids)) == len(ids) else [f"{len(ids) - len(set(ids))} players are on the {where} twice"]


def _some(sentences: Iterable[str]) -> list[str]:
    """Keep the first few sentences, and say how many more there are."""
    all_of_them = sorted(sentences)
    more = len(all_of_them) - NAMED
    return all_of_them[:NAMED] + ([f"and {more} more like the last"] if more > 0 else [])


def _order(places: Sequence[Place]) -> list[str]:
    wrong = [place for number, place in enumerate(places, 1) if place.rank != number]
    found = _some(f"{place.player_id} has rank {place.rank}, which isn't its place" for place in wrong)
    swapped = [(upper, lower) for upper, lower in pairwise(places) if _key(upper) > _key(lower)]
    return found + _some(f"{upper.player_id} stands before {lower.player_id}" for upper, lower in swapped)


def _key(place: Place) -> tuple[int, datetime, int]:
    return -place.score, place.reached_at, place.tie
