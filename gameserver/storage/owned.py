"""Fenced transactions on the database that owns a player's slot, wherever that is by then."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from gameserver.rules.errors import DatabaseUnavailable, PlayerNotFound
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
