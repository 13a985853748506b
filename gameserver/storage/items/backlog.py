"""Whether the outboxes have room for more grants: the back-pressure while a database of items is away."""

import asyncio

import structlog

from gameserver.rules.errors import Unavailable
from gameserver.storage.items.stacks import SQL
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.shares import Purpose, using
from gameserver.storage.slots.slot_map import Slots

log = structlog.get_logger()

MOST = 100_000
"""A database with so many rows in its outbox, about 20 MB, takes no more commands that grant items."""
LOOK_SECONDS = 2.0


class Backlog:
    """One per node. `run` counts now and then until it is cancelled; in between the bound may be exceeded."""

    def __init__(self, slots: Slots, most: int = MOST) -> None:
        self._slots = slots
        self._most = most
        self._full: set[str] = set()

    def is_full(self, database: Database) -> bool:
        return database.name in self._full

    async def run(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Counts the rows of every outbox; of a database that is away the last count stays."""
        with using(Purpose.UPKEEP):
            await asyncio.gather(*map(self._count, self._slots.databases("players")))

    async def _count(self, database: Database) -> None:
        try:
            ((waiting,),) = await database.ask(SQL["waiting"], self._most)
        except Unavailable:
            return
        if waiting < self._most:
            self._full.discard(database.name)
        elif database.name not in self._full:
            log.warning("too many grants wait", database=database.name, rows=waiting)
            self._full.add(database.name)
