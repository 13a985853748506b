"""Deletes the scores of seasons that were closed long ago: their standings are stored."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, select

from gameserver.storage import tables
from gameserver.storage.postgres.database import Database
from gameserver.storage.seasons.records import SeasonRecord

KEPT = timedelta(days=30)
SCORES, OWNED = tables.scores, tables.players_owned_slots


def oldest_start(records: Sequence[SeasonRecord], now: datetime) -> int:
    """The Unix second before which every season began that was closed longer than KEPT ago, and no other one."""
    needed = [record.season.start for record in records if record.state != "closed" or record.changed_at > now - KEPT]
    return min(needed, default=max((record.season.start + 1 for record in records), default=0))


async def forget(database: Database, before: int) -> int:
    """Deletes scores of the slots that the database owns, of seasons that began before this Unix second; how many.

    Raises DatabaseUnavailable.
    """
    async with database.snapshot() as connection:
        slots = (await connection.execute(select(OWNED.c.slot).where(OWNED.c.owned))).scalars().all()
    deleted = 0
    for slot in slots:
        old = (SCORES.c.slot == slot) & (SCORES.c.season > 0) & (SCORES.c.season < before)
        owned = select(OWNED.c.owned).where(OWNED.c.slot == slot).scalar_subquery()
        async with database.fenced("players") as connection:
            deleted += (await connection.execute(delete(SCORES).where(old, owned))).rowcount
    return deleted
