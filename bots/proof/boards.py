"""The proof of the boards: every place on every board against the admin ranking, which reads all databases.

Of each board some players' places are asked for by themselves, too. The ranking marks banned players; they have no
place on a board. Whoever was read and isn't gone has to be in the ranking, with the EXP of its ledger, and on the board
since it reached that.

The law: a board follows the ledger with a delay, so it gets up to CATCH_UP_SECONDS to become equal; how long that
took is reported. Others may play meanwhile: the ranking is read before the board and after it, of players in whom the
two differ nothing is compared, and a difference counts once it has lasted that long.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from math import inf
from typing import Any, NamedTuple

from bots.play.catalogue import ExpBoard, parse_boards, parse_names
from bots.proof.invariants import BOARDS, Fault
from bots.proof.pages import Asker, get, moment, read_pages
from bots.proof.players import LedgerEntry
from bots.wire.bodies import State
from bots.wire.errors import BadAnswerError

CATCH_UP_SECONDS = 10.0
RETRY_SECONDS = 0.25
BOARD_PAGE = 200
RANKING_PAGE = 1000
LONGEST = 2
"""How many times as long boards are compared of which some players' differences come and go."""
NAMED = 10
MILLISECONDS = 3
SHOWN_TO = timedelta(milliseconds=1)

Ledgers = Mapping[str, Sequence[LedgerEntry]]


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
    """How one board compares with the databases; `seconds` is how long it took to catch up.

    Of `moving` players nothing was compared.
    """

    board: str
    entries: int = 0
    seconds: float = 0.0
    moving: int = 0
    differences: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class PresentPlayers:
    """The ledgers of players that aren't gone; `reread` reads some of them again, without those gone by now.

    What a history has of several generators is of several moments: then `any_moment` of a ledger will do.
    """

    ledgers: Ledgers
    reread: Callable[[Collection[str]], Awaitable[Ledgers]]
    any_moment: bool = False

    async def unranked(self, class_name: str | None, ranked: Mapping[str, int], moving: Collection[str]) -> list[str]:
        """Return a sentence for each that isn't `ranked` as its ledger says; raises NotProvedError."""
        suspects = {
            player
            for player, state in _latest(self.ledgers, class_name).items()
            if player not in moving and ranked.get(player) not in self._possible(player, state)
        }
        again = _latest(await self.reread(suspects), class_name) if suspects else {}
        return [
            f"{player} has {state.exp} EXP by its ledger, and {ranked.get(player, 'no place')} in the ranking"
            for player, state in again.items()
            if ranked.get(player) != state.exp
        ]

    def untimely(self, places: Iterable[BoardPlace]) -> list[str]:
        """Return a sentence for each whose score wasn't reached when its ledger says; raises NotProvedError."""
        reached = {place: _reached(self.ledgers.get(place.player_id, ()), place.score) for place in places}
        return [
            f"{place.player_id} came to {place.score} EXP at {at} by its ledger, and at {place.reached_at} on the board"
            for place, at in reached.items()
            if at is not None and abs(at - place.reached_at) >= SHOWN_TO
        ]

    def _possible(self, player: str, latest: State) -> set[int]:
        return {entry.state.exp for entry in self.ledgers[player]} if self.any_moment else {latest.exp}


def _latest(ledgers: Ledgers, class_name: str | None) -> dict[str, State]:
    """Return the last state of each player of a class, or of all."""
    latest = {player: max(entry.state for entry in ledger) for player, ledger in ledgers.items() if ledger}
    return {player: state for player, state in latest.items() if class_name in (None, state.class_name)}


def _reached(ledger: Iterable[LedgerEntry], exp: int) -> datetime | None:
    """Return when a player came to so much EXP, its last, or None if its ledger doesn't show that."""
    for later, earlier in pairwise(sorted(ledger, key=lambda entry: -entry.state.version)):
        if later.state.exp != exp:
            return None
        if earlier.state.exp != exp:
            return moment(later.at) if later.at else None
    return None


class Rankers(NamedTuple):
    """Who reads the ranking before a board and after it; of a history these are two recordings."""

    before: Asker
    after: Asker


async def prove_boards(
    player: Asker, rankers: Rankers, present: PresentPlayers, patience: float = CATCH_UP_SECONDS
) -> list[BoardVerdict]:
    """Compare every board with the rankings of its players, for some `patience` seconds; raises NotProvedError."""
    classes = parse_names(await get(player, "/v1/classes"), "classes")
    boards = parse_boards(await get(player, "/v1/boards"), classes)
    if "exp" not in {board.name for board in boards}:
        boards.insert(0, ExpBoard("exp", None))
    comparing = [_Comparison(board, player, rankers, present) for board in boards]
    return [*await asyncio.gather(*(_prove(comparison, patience) for comparison in comparing))]


async def _prove(comparison: "_Comparison", patience: float) -> BoardVerdict:
    """Compare one board until it equals the ranking, or a difference has lasted for the time to catch up.

    What differs at the end without having lasted counts as well, unless players moved meanwhile. Behind those who moved
    before, the board may lag as long as behind any: it isn't the end then yet.
    """
    now = asyncio.get_running_loop().time
    started, since, compared, moved = now(), dict[str, float](), 0, -inf
    while True:
        began, earlier = now(), since
        verdict = await comparison.carry_out()
        at, compared = now(), compared + 1
        verdict.seconds = at - started
        since = {told: earlier.get(told, began) for told in verdict.differences}
        lasting = [told for told in verdict.differences if told in earlier and at - since[told] >= patience]
        is_equal = not since and (not verdict.moving or verdict.seconds >= patience)
        is_clear = verdict.moving or began - moved >= patience
        is_late = is_clear and verdict.seconds >= LONGEST * patience and (compared > 1 or not patience)
        if lasting or is_equal or is_late:
            if lasting or verdict.moving:
                verdict.differences = lasting
            return verdict
        moved = at if verdict.moving else moved
        await asyncio.sleep(RETRY_SECONDS)


@dataclass(frozen=True, slots=True)
class _Comparison:
    """One board, and who reads what it is compared with."""

    board: ExpBoard
    player: Asker
    rankers: Rankers
    present: PresentPlayers

    async def carry_out(self) -> BoardVerdict:
        """Compare once; raises NotProvedError."""
        name = self.board.name
        try:
            before = await self._ranking(self.rankers.before)
            places = parse_board(await read_pages(self.player, f"/v1/boards/{name}?limit={BOARD_PAGE}"))
            after = await self._ranking(self.rankers.after)
        except BadAnswerError as error:
            return BoardVerdict(name, differences=[Fault(BOARDS, f"board {name}: {error}")])
        moving = {player for player, _ in {*before} ^ {*after}}
        told_of = steady_differences(places, after, moving) if moving else differences(places, after)
        if not moving:
            told_of += await _compare_single(self.board, self.player, places)
        told_of += _first_few(self.present.untimely(place for place in places if place.player_id not in moving))
        told_of += _first_few(await self.present.unranked(self.board.class_name, dict(after), moving))
        faults = [Fault(BOARDS, f"board {name}: {told}") for told in told_of]
        return BoardVerdict(name, len(places), moving=len(moving), differences=[*faults])

    async def _ranking(self, ranker: Asker) -> list[tuple[str, int]]:
        of_class = "" if self.board.class_name is None else f"&class={self.board.class_name}"
        return parse_ranking(await read_pages(ranker, f"/admin/v1/rankings?by=exp&limit={RANKING_PAGE}{of_class}"))


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
    return sentences + steady_differences(places, ranking, ()) + _order(places)


def steady_differences(
    places: Sequence[BoardPlace], ranking: Sequence[tuple[str, int]], moving: Collection[str]
) -> list[str]:
    """Return those in whoever isn't `moving`: while others play, pages of a board needn't be of one moment."""
    on_board = {place.player_id: place.score for place in places if place.player_id not in moving}
    stored = {player: exp for player, exp in ranking if player not in moving}
    sentences = _first_few(f"{player} is missing on the board" for player in stored.keys() - on_board.keys())
    sentences += _first_few(f"{player} is only on the board" for player in on_board.keys() - stored.keys())
    return sentences + _first_few(
        f"{player} has {on_board[player]} on the board and {stored[player]} in the database"
        for player in stored.keys() & on_board.keys()
        if on_board[player] != stored[player]
    )


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
