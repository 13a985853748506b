"""Seasons as operators see them, and the calendar of this node, which follows the control database."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from gameserver.rules.errors import BadInput, FieldProblem
from gameserver.storage.operators.audit import Audit, AuditedChange
from gameserver.storage.operators.reports import Reports
from gameserver.storage.rooms import SeasonsRoom
from gameserver.storage.seasons.end import reward_of
from gameserver.storage.seasons.records import SeasonRecord

log = structlog.get_logger()


CLOSE_SECONDS = 5
"""How far ahead an early end is set: every node knows of it by then."""
UNHURRIED_SECONDS = 300.0
"""How long a preview may take for who waits at a command line."""


@dataclass(frozen=True, slots=True)
class Seasons:
    """What commands about seasons need; one per node."""

    room: SeasonsRoom
    audit: Audit
    reports: Reports
    now: Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Preview:
    """The standings and rewards as if the season ended now."""

    record: SeasonRecord
    entries: Sequence[tuple[int, int, int, str, dict[str, object] | None]]
    """Rank, score, player id, name, and reward."""
    rewarded: int
    """How many players would be rewarded in all, also behind those entries, and with how much EXP."""
    exp: int


async def learn(seasons: Seasons) -> Sequence[SeasonRecord]:
    """Updates the node's calendar from the control database. Raises DatabaseUnavailable."""
    records = await seasons.room.records.known()
    by_board: dict[str, list[SeasonRecord]] = defaultdict(list)
    for record in records:
        by_board[record.board].append(record)
    for board in seasons.room.calendar.boards():
        of_board = by_board[board.name]
        still_open = [record.season.start for record in of_board if record.state in ("running", "ended")]
        seasons.room.calendar.learn(board.name, [record.season for record in of_board], still_open)
    return records


async def newest(seasons: Seasons, limit: int | None) -> tuple[Sequence[SeasonRecord], bool]:
    """The newest `limit` seasons, of which the last are those that aren't closed, and whether there are more; or all.

    Raises DatabaseUnavailable.
    """
    records = await learn(seasons)
    if limit is None:
        return records, False
    return sorted(records, key=lambda record: (record.state != "closed", record.season.start))[-limit:], len(
        records
    ) > limit


async def listed(seasons: Seasons) -> Sequence[SeasonRecord]:
    """All seasons that have begun. Raises DatabaseUnavailable."""
    return await learn(seasons)


async def close_now(
    seasons: Seasons, admin: str, name: str, reason: str, command_id: str | None = None
) -> SeasonRecord:
    """Makes the running season of a board end in CLOSE_SECONDS; the running nodes then close it.

    Raises BoardNotFound, BadInput, DatabaseUnavailable.
    """
    record = await _running(seasons, name)
    start, end = record.season.start, int(seasons.now().timestamp()) + CLOSE_SECONDS
    before = {"end": record.season.end}
    entry = AuditedChange(admin, "season_close", name, reason, {"season": start}, command_id, before)
    async with seasons.audit.recorded(entry) as ending:
        if not await seasons.room.records.end_early(name, start, max(end, start + 1)):
            problem = FieldProblem("board", f"has a season that ends by itself within {CLOSE_SECONDS} s, or has ended")
            raise BadInput("The season can't be closed earlier.", errors=[problem])
        ending.after = {"end": max(end, start + 1)}
    return record


async def preview(seasons: Seasons, name: str, limit: int, seconds: float | None = None) -> Preview:
    """The standings as the databases have them, with the rewards; it takes a turn of reports.

    It may take `seconds`, or as long as reports. Raises BoardNotFound, BadInput, DatabaseUnavailable, Overloaded.
    """
    record = await _running(seasons, name)
    names = [board.name for board in seasons.room.calendar.boards()]
    board = seasons.room.calendar.board(name) if name in names else record.stored_board()
    async with seasons.reports.turn(seconds) as deadline:
        found = await seasons.room.end.preview(board, record.season.start, limit, deadline)
    entries = []
    for row in found.best:
        rank, player_id, score, name = row[3], row[4], row[5], row[7]
        reward = reward_of(board, rank)
        shown = None if reward is None else {"exp": reward.exp, "text": reward.text}
        entries.append((rank, score, player_id, name, shown))
    return Preview(record, entries, found.players, found.exp)


async def _running(seasons: Seasons, name: str) -> SeasonRecord:
    """The running season, also of a board that game.toml no longer has; none whose end is over, though not counted."""
    records, now = await learn(seasons), seasons.now().timestamp()
    of_board = [record for record in records if record.board == name and record.state == "running"]
    running = [record for record in of_board if record.season.end > now]
    if not running:
        seasons.room.calendar.board(name)
        problem = FieldProblem("board", "has no running season")
        raise BadInput("There is no season to close or preview.", errors=[problem])
    return running[-1]
