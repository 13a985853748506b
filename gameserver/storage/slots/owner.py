"""Reads and changes what belongs to a player, on the database that owns its slot at that moment."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from gameserver.rules.errors import PlayerNotFound, SessionRevoked
from gameserver.storage import tables
from gameserver.storage.ids import slot_of
from gameserver.storage.slots.slot_map import Slots

T = TypeVar("T")


def can_exist(slots: Slots, player_id: int) -> bool:
    """Whether a player can have this id. One that stands in stored data needn't: players send letters to any id."""
    return slot_of(player_id) < slots.size("players")


async def on_owner(
    slots: Slots, player_id: int, work: Callable[[AsyncConnection], Awaitable[T]], *, reads: bool = False
) -> T:
    """Runs `work` in a fenced transaction, or in a snapshot if it only `reads`.

    Raises PlayerNotFound for an id that no player can have, DatabaseUnavailable.
    """
    if not can_exist(slots, player_id):
        raise PlayerNotFound("There is no such player.")
    return await slots.routed("players", slot_of(player_id), work, reads=reads)


async def lock_player(connection: AsyncConnection, player_id: int, epoch: int) -> None:
    """Locks a player's row for a change requested by a session of `epoch`. Raises PlayerNotFound, SessionRevoked."""
    rows = tables.player_rows
    this_player = (rows.c.slot == slot_of(player_id)) & (rows.c.id == player_id) & ~rows.c.void
    session_epoch = (
        await connection.execute(select(rows.c.session_epoch).where(this_player).with_for_update(key_share=True))
    ).scalar()
    if session_epoch is None:
        raise PlayerNotFound("There is no such player.")
    if session_epoch > epoch:
        raise SessionRevoked("The session has ended.")
