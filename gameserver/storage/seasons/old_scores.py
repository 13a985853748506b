"""Deletes the scores of seasons that were closed long ago: their standings are stored.

Law: as long as no season is that old, nothing is asked of any database; after that only slots that have old scores are
written. Nodes do this when they start, and players shouldn't notice.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, select

from gameserver.storage import tables
from gameserver.storage.postgres.database import Database
from gameserver.storage.seasons.records import SeasonRecord

KEPT = timedelta(days=30)
SLOTS_AT_A_TIME = 64
"""Whose scores one query looks through."""
SCORES, OWNED = tables.scores, tables.players_owned_slots


def oldest_start(records: Sequence[SeasonRecord], now: datetime) -> int:
    """The Unix second before which only seasons began that were closed longer than KEPT ago; 0 if there are none."""
    starts = [record.season.start for record in records]
    needed = [record.season.start for record in records if record.state != "closed" or record.changed_at > now - KEPT]
    before = min(needed, default=max(starts, default=0) + 1)
    return before if any(start < before for start in starts) else 0


async def forget(database: Database, before: int) -> int:
    """Deletes scores of the slots that the database owns, of seasons that began before this Unix second; how many.

    Raises DatabaseUnavailable.
    """
    if not before:
        return 0
    async with database.snapshot() as connection:
        slots = (await connection.execute(select(OWNED.c.slot).where(OWNED.c.owned))).scalars().all()
    deleted = 0
    for first in range(0, len(slots), SLOTS_AT_A_TIME):
        deleted += await _forget_in(database, slots[first : first + SLOTS_AT_A_TIME], before)
    return deleted


async def _forget_in(database: Database, slots: Sequence[int], before: int) -> int:
    old_ones = (SCORES.c.season > 0) & (SCORES.c.season < before)
    async with database.snapshot() as connection:
        look = select(SCORES.c.slot).where(SCORES.c.slot.in_(slots), old_ones).distinct()
        found = (await connection.execute(look)).scalars().all()
    deleted = 0
    for slot in found:
        old = (SCORES.c.slot == slot) & old_ones
        owned = select(OWNED.c.owned).where(OWNED.c.slot == slot).scalar_subquery()
        async with database.fenced("players") as connection:
            deleted += (await connection.execute(delete(SCORES).where(old, owned))).rowcount
    return deleted
