"""The players whose letters a player doesn't take.

Law: Postgres has the list, in the slot of the player that blocks, and a change takes that player's lock. A delivery
reads the list under the same lock (`mail.mailbag`), so no letter that is delivered after an answered block takes
effect, whatever Redis or another node believes.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from gameserver.rules.errors import TooManyBlocks
from gameserver.storage import tables
from gameserver.storage.ids import slot_of
from gameserver.storage.postgres import statements
from gameserver.storage.slots.owner import lock_player, on_owner
from gameserver.storage.slots.pages import Pages
from gameserver.storage.slots.slot_map import Slots

SQL = statements.load(__package__, "blocks.sql")
BLOCKS = tables.blocks


class Block(NamedTuple):
    """A blocked player, and since when."""

    blocked_id: int
    added_at: datetime


@dataclass(frozen=True, slots=True)
class BlockChange:
    """A change that a session of `epoch` asks for."""

    player_id: int
    epoch: int
    blocked_id: int


class Blocks:
    """One per node; `most` blocked players for each player."""

    def __init__(self, slots: Slots, most: int) -> None:
        self._slots, self.most = slots, most
        self._pages = Pages(slots, SQL["page"], Block)

    async def of(self, player_id: int) -> list[Block]:
        """Whom a player blocks, by id. Raises PlayerNotFound, DatabaseUnavailable."""
        return await self._pages.of(player_id)

    async def add(self, change: BlockChange) -> None:
        """Blocks a player; a repeat changes nothing.

        Raises TooManyBlocks, SessionRevoked, PlayerNotFound, DatabaseUnavailable.
        """

        async def write(connection: AsyncConnection) -> None:
            await lock_player(connection, change.player_id, change.epoch)
            row = {"slot": slot_of(change.player_id), "player_id": change.player_id, "blocked_id": change.blocked_id,
                   "added_at": func.clock_timestamp()}  # fmt: skip
            added = upsert(BLOCKS).values(row).on_conflict_do_nothing().returning(BLOCKS.c.blocked_id)
            if (await connection.execute(added)).first() is None:
                return
            count = select(func.count()).select_from(BLOCKS).where(_of_player(change.player_id))
            if (await connection.execute(count)).scalar_one() > self.most:
                raise TooManyBlocks(f"You can't block more than {self.most} players.")

        await on_owner(self._slots, change.player_id, write)

    async def remove(self, change: BlockChange) -> None:
        """Ends a block, if there is one. Raises SessionRevoked, PlayerNotFound, DatabaseUnavailable."""

        async def write(connection: AsyncConnection) -> None:
            await lock_player(connection, change.player_id, change.epoch)
            gone = delete(BLOCKS).where(_of_player(change.player_id), BLOCKS.c.blocked_id == change.blocked_id)
            await connection.execute(gone)

        await on_owner(self._slots, change.player_id, write)


def _of_player(player_id: int) -> Any:
    return (BLOCKS.c.slot == slot_of(player_id)) & (BLOCKS.c.player_id == player_id)
