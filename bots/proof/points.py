"""The proof of boards of points, against the ledgers of the bots; that of seasons' rewards is in bots.proof.rewards.

The law: on a board that adds points up, a bot's score is the sum of what the events in its ledger scored, in a season
of what they scored between its start and its end by the ledger's time; an operator's correction says by how much it
changes the scores of that time. Every season is judged in which a bot scored or for which it has a reward, however many
ended with the run; bots/proof/seasons.py says which are known. Boards of certain classes, levels or sizes aren't
checked. A board follows with a delay, so it gets `patience` seconds; the rewards of a season that ended with the run
come then, too, so the ledgers of those who lack one are read again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from bots.proof.boards import CATCH_UP_SECONDS, RETRY_SECONDS, BoardPlace, parse_board
from bots.proof.invariants import POINTS, REWARDS, Evidence, Fault
from bots.proof.pages import Asker, NotProvedError, get, read_pages
from bots.proof.players import LedgerEntry
from bots.proof.rewards import Ledgers, RewardedSeason, RewardTier, compare_rewards, rewards_of, unrewarded
from bots.proof.seasons import PointsBoard, SeasonSpan, is_within, page_of, seasons_of
from bots.wire.errors import BadAnswerError

BOUNDS = frozenset({"first", "last"})
"""What a range of ranks says beside what it promises."""


@dataclass(frozen=True, slots=True)
class Played:
    """The bots' ledgers, how many players were banned or deleted during the run, and what reads a ledger once more."""

    ledgers: Ledgers
    gone: int
    reread: Callable[[Collection[str]], Awaitable[Ledgers]]

    async def with_late_rewards(self, season: RewardedSeason) -> "Played":
        """Return the same with the rewards that have come since the ledgers were read."""
        if not (late := unrewarded(season, self.ledgers, self.gone)):
            return self
        others = {player: entries for player, entries in self.ledgers.items() if player not in late}
        return Played({**others, **await self.reread(late)}, self.gone, self.reread)


class PointsPage(NamedTuple):
    """A whole board, and the name of its season."""

    season: str
    places: list[BoardPlace]


async def prove_points(player: Asker, played: Played, patience: float, operator: Asker | None = None) -> Evidence:
    """Compare every board of points, and every reward; the operator knows all seasons. Raises NotProvedError."""
    return await _settled(partial(_all_boards, player, played, operator), patience)


async def _all_boards(player: Asker, played: Played, operator: Asker | None) -> Evidence:
    """Compare all boards once, by the seasons of this moment."""
    verdict = Evidence()
    for board in parse_points_boards(await get(player, "/v1/boards")):
        if board.starts_at:
            spans = await seasons_of(board, played.ledgers, player, operator)
            verdict.faults += [*_of_no_season(board, spans, played.ledgers, is_all=operator is not None)]
            verdict.add(await _by_season(player, board, spans, played))
        else:
            verdict.add(await _all_time(player, board, played))
    return verdict


async def _settled(compare: Callable[[], Awaitable[Evidence]], patience: float) -> Evidence:
    """Compare until there is no fault, or the time is over."""
    now = asyncio.get_running_loop().time
    ends = now() + patience
    while True:
        verdict = await compare()
        if not verdict.faults or now() >= ends:
            return verdict
        await asyncio.sleep(RETRY_SECONDS)


async def _all_time(player: Asker, board: PointsBoard, played: Played) -> Evidence:
    page = await _page(player, board.name, "")
    return compare_points(board, page, played.ledgers, "", "")


async def _by_season(player: Asker, board: PointsBoard, spans: Sequence[SeasonSpan], played: Played) -> Evidence:
    verdict = Evidence()
    for span in spans:
        try:
            page = await _page(player, board.name, span.asked)
        except NotProvedError as error:
            verdict.faults += _missed(board, span, played.ledgers, str(error))
            continue
        if span.end:
            verdict.add(compare_points(board, page, played.ledgers, page.season, span.end))
        if span.is_over and board.rewards:
            rewarded = RewardedSeason(board.name, page.season, board.rewards, page.places)
            played = await played.with_late_rewards(rewarded)
            verdict.add(compare_rewards(rewarded, played.ledgers, played.gone))
            if span.is_stuck(CATCH_UP_SECONDS):
                told = f"board {board.name}: season {span.start} ended at {span.end} and is still {span.state}"
                verdict.faults.append(Fault(REWARDS, f"{told}: its rewards haven't all arrived"))
    return verdict


def _missed(board: PointsBoard, span: SeasonSpan, ledgers: Ledgers, why: str) -> list[Fault]:
    """A season in which a bot scored, or for which it was rewarded, has to be shown; before the first one is none."""
    for player, entries in ledgers.items():
        for entry in entries:
            if _scored(board, entry) and span.has(entry.at):
                told = f"board {board.name}: player {player} scored at {entry.at}, in a season that isn't shown: {why}"
                return [Fault(POINTS, told)]
        if not span.end and any(letter.args.get("season") == span.start for letter in rewards_of(board.name, entries)):
            told = f"board {board.name}: player {player} was rewarded for season {span.start}, which isn't shown: {why}"
            return [Fault(REWARDS, told)]
    return []


def _of_no_season(
    board: PointsBoard, spans: Sequence[SeasonSpan], ledgers: Ledgers, *, is_all: bool
) -> Iterator[Fault]:
    """Yield a fault for points of no season, and for rewards of one that isn't over.

    Raises NotProvedError if there may be seasons that aren't known, and a bot scored in one.
    """
    open_now = {span.start for span in spans if not span.is_over}
    for player, entries in ledgers.items():
        told = f"board {board.name}: player {player}"
        if any(letter.args.get("season") in open_now for letter in rewards_of(board.name, entries)):
            yield Fault(REWARDS, f"{told} was rewarded for a season that isn't over")
        scored = (entry.at for entry in entries if _scored(board, entry))
        if (at := next((at for at in scored if not any(span.has(at) for span in spans)), "")) == "":
            continue
        if not is_all:
            raise NotProvedError(f"{told} scored at {at}, before the seasons that are shown without an admin key")
        yield Fault(POINTS, f"{told} scored at {at}, which is in no season")


async def _page(player: Asker, board: str, season: str) -> PointsPage:
    path = page_of(board, season)
    head = await get(player, path)
    try:
        return PointsPage(str(head.get("season")), parse_board(await read_pages(player, path)))
    except BadAnswerError as error:
        raise NotProvedError(f"board {board}: {error}") from error


def parse_points_boards(body: Mapping[str, Any]) -> list[PointsBoard]:
    """Read the boards that this proof can check; raises NotProvedError."""
    try:
        return [_points_board(row) for row in body["boards"] if _adds_points_up(row)]
    except (KeyError, TypeError, ValueError) as error:
        raise NotProvedError(f"the list of boards lacks a field or has a wrong one: {error}") from error


def _adds_points_up(row: Mapping[str, Any]) -> bool:
    limits = [row.get(name) for name in ("class", "min_level", "max_level", "size")]
    return str(row["score"]).startswith("points:") and row.get("operator", "sum") == "sum" and not any(limits)


def _points_board(row: Mapping[str, Any]) -> PointsBoard:
    season = row.get("season")
    starts, ends = (season["starts_at"], season["ends_at"]) if isinstance(season, Mapping) else ("", "")
    rewards = tuple(_tier(reward) for reward in row.get("rewards") or ())
    return PointsBoard(row["name"], str(row["score"]).removeprefix("points:"), starts, ends, rewards)


def _tier(reward: Mapping[str, Any]) -> RewardTier:
    first, last = int(reward["first"]), int(reward["last"])
    return RewardTier(first, last, {name: value for name, value in reward.items() if name not in BOUNDS})


def compare_points(board: PointsBoard, page: PointsPage, ledgers: Ledgers, start: str, end: str) -> Evidence:
    """Compare the bots' scores with the points in their ledgers, from `start` to before `end` (RFC 3339, or empty)."""
    verdict = Evidence()
    shown = {place.player_id: place.score for place in page.places}
    for player, entries in ledgers.items():
        scoring = [entry for entry in entries if _concerns(board, entry) and is_within(entry.at, start, end)]
        expected = sum(_scored(board, entry) for entry in scoring)
        verdict.checked[POINTS] += bool(scoring)
        if shown.get(player, 0) != expected or (player in shown and not scoring):
            told = (
                f"board {board.name}, season {page.season}: player {player} has {shown.get(player, 0)}, "
                f"its ledger has {expected}"
            )
            verdict.faults.append(Fault(POINTS, told, _told(board, scoring)))
    return verdict


def _told(board: PointsBoard, scoring: Sequence[LedgerEntry]) -> Iterator[str]:
    for entry in scoring:
        yield f"{entry.at} version {entry.state.version}: {entry.action} scored {_scored(board, entry)}"


def _concerns(board: PointsBoard, entry: LedgerEntry) -> bool:
    return board.points in entry.points or board.name in entry.rescored


def _scored(board: PointsBoard, entry: LedgerEntry) -> int:
    """Return what an entry added to a board's score: its points, and what a correction changed, which may be less."""
    return entry.points.get(board.points, 0) + entry.rescored.get(board.name, 0)
