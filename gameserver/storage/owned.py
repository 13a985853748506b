"""Fenced transactions on the database that owns a player's slot, wherever that is by then."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from gameserver.rules.errors import DatabaseUnavailable, PlayerNotFound, SessionRevoked
from gameserver.storage import schema
from gameserver.storage.databases import Database
from gameserver.storage.ids import slot_of
from gameserver.storage.slots import Slots

T = TypeVar("T")
MOVED_PAUSE = 0.05
MOVED_TRIES = 40


def owner_of(slots: Slots, player_id: int) -> Database:
    """Raises PlayerNotFound for an id that nobody can have."""
    if slot_of(player_id) >= slots.size("players"):
        raise PlayerNotFound("There is no such player.")
    return slots.owner("players", slot_of(player_id))


async def on_owner(slots: Slots, player_id: int, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
    """What `work` returns. Raises PlayerNotFound, DatabaseUnavailable, and what `work` raises."""
    owned = schema.players_owned_slots.c
    for _ in range(MOVED_TRIES):
        async with owner_of(slots, player_id).fenced("players") as connection:
            if (await connection.execute(select(owned.owned).where(owned.slot == slot_of(player_id)))).scalar():
                return await work(connection)
        await wait_for_map(slots)
    raise homeless()


async def wait_for_map(slots: Slots) -> None:
    """A pause in which a cut-over can end, then the map as it is by now."""
    await asyncio.sleep(MOVED_PAUSE)
    await slots.refresh()


def homeless() -> DatabaseUnavailable:
    """A player who was on the move all the time."""
    return DatabaseUnavailable("The player is being moved.", retry_after=1)


async def lock_player(connection: AsyncConnection, player_id: int, epoch: int) -> None:
    """Holds a player's row for a change that a session of `epoch` asks for. Raises PlayerNotFound, SessionRevoked."""
    rows = schema.player_rows
    mine = (rows.c.slot == slot_of(player_id)) & (rows.c.id == player_id) & ~rows.c.void
    present = (
        await connection.execute(select(rows.c.session_epoch).where(mine).with_for_update(key_share=True))
    ).scalar()
    if present is None:
        raise PlayerNotFound("There is no such player.")
    if present > epoch:
        raise SessionRevoked("The session has ended.")
