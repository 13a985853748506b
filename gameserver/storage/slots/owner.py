"""Changes to what belongs to a player, on the database that owns his slot, wherever that is by then."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from gameserver.rules.errors import PlayerNotFound, SessionRevoked
from gameserver.storage import tables
from gameserver.storage.ids import slot_of
from gameserver.storage.slots.slot_map import Slots

T = TypeVar("T")


async def on_owner(
    slots: Slots, player_id: int, work: Callable[[AsyncConnection], Awaitable[T]], *, reads: bool = False
) -> T:
    """Runs `work` in a fenced transaction, or in a snapshot if it only `reads`.

    Raises PlayerNotFound for an id that nobody can have, DatabaseUnavailable.
    """
    if slot_of(player_id) >= slots.size("players"):
        raise PlayerNotFound("There is no such player.")
    return await slots.routed("players", slot_of(player_id), work, reads=reads)


async def lock_player(connection: AsyncConnection, player_id: int, epoch: int) -> None:
    """Holds a player's row for a change that a session of `epoch` asks for. Raises PlayerNotFound, SessionRevoked."""
    rows = tables.player_rows
    mine = (rows.c.slot == slot_of(player_id)) & (rows.c.id == player_id) & ~rows.c.void
    present = (
        await connection.execute(select(rows.c.session_epoch).where(mine).with_for_update(key_share=True))
    ).scalar()
    if present is None:
        raise PlayerNotFound("There is no such player.")
    if present > epoch:
        raise SessionRevoked("The session has ended.")
