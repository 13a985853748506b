"""The players whose letters a player doesn't take.

Law: Postgres has the list, in the slot of the player that blocks, and a change takes that player's lock. A delivery
reads the list under the same lock (`mail.mailbag`), so no letter that is delivered after an answered block takes
effect, whatever Redis or another node believes.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from gameserver.rules.errors import TooManyBlocks
from gameserver.storage.postgres import statements
from gameserver.storage.slots.pages import Pages
from gameserver.storage.slots.slot_map import Slots
from gameserver.storage.social.lists import ListChange, ListFull, Lists

SQL = statements.load(__package__, "blocks.sql")


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

    def __init__(self, slots: Slots, lists: Lists, most: int) -> None:
        self._lists, self.most = lists, most
        self._pages = Pages(slots, SQL["page"], Block)

    async def of(self, player_id: int) -> list[Block]:
        """Whom a player blocks, by id. Raises PlayerNotFound, DatabaseUnavailable."""
        return await self._pages.of(player_id)

    async def add(self, change: BlockChange) -> None:
        """Blocks a player; a repeat changes nothing.

        Raises TooManyBlocks, SessionRevoked, PlayerNotFound, DatabaseUnavailable.
        """
        try:
            await self._lists.change(ListChange("blocks", *_fields(change), self.most))
        except ListFull:
            raise TooManyBlocks(f"You can't block more than {self.most} players.") from None

    async def remove(self, change: BlockChange) -> None:
        """Ends a block, if there is one. Raises SessionRevoked, PlayerNotFound, DatabaseUnavailable."""
        await self._lists.change(ListChange("blocks", *_fields(change), None))


def _fields(change: BlockChange) -> tuple[int, int, int]:
    return change.player_id, change.epoch, change.blocked_id
