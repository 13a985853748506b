"""Deletes the scores of seasons that were closed long ago: their standings are stored.

Law: as long as no season is that old, nothing is asked of any database; after that only slots that have old scores are
written. Nodes do this when they start, and players shouldn't notice.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, Text, delete, func, literal, select, tuple_
from sqlalchemy.dialects.postgresql import ARRAY

from gameserver.storage import tables
from gameserver.storage.postgres.database import Database
from gameserver.storage.seasons.records import SeasonRecord

KEPT = timedelta(days=30)
SLOTS_AT_A_TIME = 64
"""Whose scores one query looks through."""
SCORES, OWNED = tables.scores, tables.players_owned_slots


def long_closed(records: Sequence[SeasonRecord], now: datetime) -> list[tuple[str, int]]:
    """The boards and starts of the seasons that were closed longer than KEPT ago."""
    return [
        (record.board, record.season.start)
        for record in records
        if record.state == "closed" and record.changed_at <= now - KEPT
    ]


async def forget(database: Database, closed: Sequence[tuple[str, int]]) -> int:
    """Deletes scores of the slots that the database owns, of seasons of these boards and starts; how many.

    Raises DatabaseUnavailable.
    """
    if not closed:
        return 0
    async with database.snapshot() as connection:
        slots = (await connection.execute(select(OWNED.c.slot).where(OWNED.c.owned))).scalars().all()
    deleted = 0
    for first in range(0, len(slots), SLOTS_AT_A_TIME):
        deleted += await _forget_in(database, slots[first : first + SLOTS_AT_A_TIME], closed)
    return deleted


async def _forget_in(database: Database, slots: Sequence[int], closed: Sequence[tuple[str, int]]) -> int:
    boards, starts = zip(*closed, strict=True)
    columns = literal(list(boards), ARRAY(Text)), literal(list(starts), ARRAY(BigInteger))
    pairs = func.unnest(*columns).table_valued("board", "start").render_derived()
    old_ones = (SCORES.c.season > 0) & tuple_(SCORES.c.board, SCORES.c.season).in_(select(pairs.c.board, pairs.c.start))
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
