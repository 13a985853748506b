"""The course of seasons: they begin, end on every database, are counted, and their rewards arrive, once.

Each step can be taken again, by any node, after whatever killed the one that took it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from gameserver.rules.errors import BadInput, FieldProblem
from gameserver.storage.operators.audit import Audit
from gameserver.storage.rooms import SeasonsRoom
from gameserver.storage.seasons.records import SeasonRecord

log = structlog.get_logger()


CLOSE_SECONDS = 5
"""How far ahead the end of a season lies that is ended early: every node has learned of it by then."""


@dataclass(frozen=True, slots=True)
class Seasons:
    """What the course of seasons needs; one per node."""

    room: SeasonsRoom
    audit: Audit
    now: Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Preview:
    """Who would stand where if the season ended now, with what they would get."""

    record: SeasonRecord
    entries: Sequence[tuple[int, int, int, str, dict[str, object] | None]]
    """Rank, score, player id, name, and reward."""


async def learn(seasons: Seasons) -> list[SeasonRecord]:
    """Tells the node's calendar what the control database knows. Raises DatabaseUnavailable."""
    records = await seasons.room.records.all()
    for board in seasons.room.calendar.boards():
        own = [each for each in records if each.board == board.name]
        still_open = [each.season.start for each in own if each.state in ("running", "ended")]
        seasons.room.calendar.learn(board.name, [each.season for each in own], still_open)
    return records


async def listed(seasons: Seasons) -> list[SeasonRecord]:
    """All seasons that have begun. Raises DatabaseUnavailable."""
    return await learn(seasons)


async def close_now(seasons: Seasons, admin: str, name: str, reason: str) -> SeasonRecord:
    """Makes the running season of a board end in CLOSE_SECONDS instead of when it was to; the nodes that run close it.

    Raises BoardNotFound, BadInput, DatabaseUnavailable.
    """
    record = await _running(seasons, name)
    await seasons.audit.note(admin, "season_close", name, reason, {"season": record.season.start})
    end = int(seasons.now().timestamp()) + CLOSE_SECONDS
    await seasons.room.records.end_early(name, record.season.start, max(end, record.season.start + 1))
    return record


async def preview(seasons: Seasons, name: str, limit: int) -> Preview:
    """The standings as the databases have them, with the rewards.

    Raises BoardNotFound, BadInput, DatabaseUnavailable.
    """
    record = await _running(seasons, name)
    board = seasons.room.calendar.board(name)
    parts = seasons.room.end.standings(board, record.season.start, limit, banned=False)
    found = [row async for part in parts for row in part]
    rewards = {each: reward for reward in board.rewards for each in range(reward.first, reward.last + 1)}
    entries = [
        (row[3], row[5], row[4], row[7], {"exp": rewards[row[3]].exp, "text": rewards[row[3]].text})
        if row[3] in rewards
        else (row[3], row[5], row[4], row[7], None)
        for row in found
    ]
    return Preview(record, entries)


async def _running(seasons: Seasons, name: str) -> SeasonRecord:
    seasons.room.calendar.board(name)
    found = [each for each in await learn(seasons) if each.board == name and each.state == "running"]
    if not found:
        problem = FieldProblem("board", "has no season that is running")
        raise BadInput("There is no season to close or preview.", errors=[problem])
    return found[-1]
