"""The seasons of a board that a run has to be judged by, and how each is read.

The law: an operator is shown all seasons, so with one every season that was played in is judged, however many ended
with the run. Players are shown the present season and the one before, and what letters with rewards name: without an
operator, whoever scored before those leaves the board not proved.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import quote

from bots.proof.boards import BOARD_PAGE
from bots.proof.pages import Asker, NotProvedError, get, moment
from bots.proof.rewards import Ledgers, RewardTier, rewards_of

PREVIOUS, CURRENT = "previous", "current"
SEASONS = "/admin/v1/seasons"
CLOSED = "closed"
"""The state of a season whose rewards have all arrived."""


class PointsBoard(NamedTuple):
    """A board that adds points up, its present season's bounds or empty ones, and what ranks are promised."""

    name: str
    points: str
    starts_at: str
    ends_at: str
    rewards: tuple[RewardTier, ...]


@dataclass(frozen=True, slots=True)
class SeasonSpan:
    """A season: how it is asked for, from when until when (RFC 3339), and its state for operators.

    Of one whose end isn't known only the rewards can be judged.
    """

    asked: str
    start: str
    end: str
    is_over: bool = True
    state: str = CLOSED

    def is_stuck(self, patience: float) -> bool:
        """Return whether it ended longer ago than so many seconds and isn't closed yet."""
        return self.state != CLOSED and moment(self.end) < datetime.now(UTC) - timedelta(seconds=patience)

    def has(self, at: str) -> bool:
        """Return whether a moment is known to be in it."""
        return bool(self.end) and is_within(at, self.start, self.end)


async def seasons_of(board: PointsBoard, ledgers: Ledgers, player: Asker, operator: Asker | None) -> list[SeasonSpan]:
    """Return the seasons that these ledgers have to do with. Raises NotProvedError."""
    spans = [SeasonSpan(CURRENT, board.starts_at, board.ends_at, is_over=False)]
    if operator is None:
        spans.append(SeasonSpan(PREVIOUS, await _previous(player, board), board.starts_at))
    else:
        times = (moment(entry.at) for ledger in ledgers.values() for entry in ledger if entry.at)
        began = min(times, default=datetime.now(UTC))
        spans += [span for span in _over(await get(operator, SEASONS), board) if moment(span.end) > began]
    named = {str(entry.args.get("season")) for ledger in ledgers.values() for entry in rewards_of(board.name, ledger)}
    return [*spans, *(SeasonSpan(name, name, "") for name in sorted(named - {span.start for span in spans}))]


async def _previous(player: Asker, board: PointsBoard) -> str:
    """Return the name of the season before the present one; empty if none is shown."""
    try:
        return str((await get(player, page_of(board.name, PREVIOUS))).get("season"))
    except NotProvedError:
        return ""


def page_of(board: str, season: str) -> str:
    """Return the path of a board's first page in a season, or in none."""
    return f"/v1/boards/{quote(board)}?limit={BOARD_PAGE}" + (f"&season={quote(season)}" if season else "")


def _over(body: Mapping[str, Any], board: PointsBoard) -> Iterator[SeasonSpan]:
    try:
        for row in body["seasons"]:
            if row["board"] == board.name and moment(row["start"]) < moment(board.starts_at):
                yield SeasonSpan(row["start"], row["start"], row["end"], state=row["state"])
    except (KeyError, TypeError) as error:
        raise NotProvedError(f"the list of seasons lacks a field or has a wrong one: {error}") from error


def is_within(at: str, start: str, end: str) -> bool:
    """Return whether a moment is between two others; an empty one is no bound."""
    return (not start or moment(start) <= moment(at)) and (not end or moment(at) < moment(end))
