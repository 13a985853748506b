"""Bans whose beginning or end hasn't been followed by everything else yet: any node finds them, and does it."""

from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import case, false, func, select

from gameserver.storage import tables
from gameserver.storage.postgres.database import Database

BANS, OWNED = tables.bans, tables.players_owned_slots
FOLLOW_SECONDS = 10
"""How old a ban is when other nodes do what follows it: its own has done so by then, or has died."""


class DueBan(NamedTuple):
    """A ban whose time is over, or whose beginning or end hasn't been followed by everything else yet."""

    player_id: int
    command_id: str
    is_over: bool


async def due_bans(database: Database, most: int) -> list[DueBan]:
    """Bans in the slots that a database owns whose beginning or end has to be followed up, drawn if there are more.

    So those that can't be followed up for long hide the others for no longer than chance has it. Raises
    DatabaseUnavailable.
    """
    now = func.clock_timestamp()
    is_over = BANS.c.ended_at.is_not(None) | func.coalesce(BANS.c.until <= now, false())
    due = (~BANS.c.settled & (is_over | (BANS.c.at < now - timedelta(seconds=FOLLOW_SECONDS)))) | (
        BANS.c.ended_at.is_(None) & (BANS.c.until <= now)
    )
    owned = OWNED.c.owned & (OWNED.c.slot == BANS.c.slot)
    chosen = select(BANS.c.player_id, BANS.c.command_id, is_over).where(due, owned)
    # Whose ban is over comes in early: after an upgrade all bans without an end are due once.
    chosen = chosen.order_by(func.random() * case((is_over, 0.01), else_=1.0)).limit(most)
    async with database.snapshot() as connection:
        return [DueBan(*row) for row in await connection.execute(chosen)]
