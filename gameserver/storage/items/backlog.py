"""Whether the outboxes have room for more letters and grants: the back-pressure while a database is away."""

import asyncio
from collections import Counter
from typing import NamedTuple

import structlog

from gameserver.rules.errors import Unavailable
from gameserver.storage.items.stacks import KIND, SQL
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.shares import Purpose, using
from gameserver.storage.slots.slot_map import Slots

log = structlog.get_logger()

MOST = 100_000
"""So many letters, or grants, about 20 MB, may wait in one database's outbox for another database."""
LOOK_SECONDS = 2.0


class Destination(NamedTuple):
    """The owner of slots of `players`, for letters, or of `items`, for grants."""

    group: str
    database: str


class Backlog:
    """One per node. `run` counts now and then until it is cancelled; in between the bound may be exceeded."""

    def __init__(self, slots: Slots, most: int = MOST) -> None:
        self._slots = slots
        self._most = most
        self._full: dict[str, set[Destination]] = {}
        """By the name of the database whose outbox it is."""

    def is_full(self, database: Database, group: str, slot: int) -> bool:
        """Whether so much waits in the database's outbox for the owner of the slot that no more may be sent there."""
        full = self._full.get(database.name, ())
        return len(full) > 0 and self._destination(group, slot) in full

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
            rows = await database.ask(SQL["waiting"], self._most, KIND)
        except Unavailable:
            return
        waiting = Counter[Destination]()
        for slot, are_grants, count in rows:
            waiting[self._destination("items" if are_grants else "players", slot)] += count
        full = {destination for destination, count in waiting.items() if count >= self._most}
        for group, name in full - self._full.get(database.name, set()):
            log.warning("too much waits in an outbox", database=database.name, to=name, group=group)
        self._full[database.name] = full

    def _destination(self, group: str, slot: int) -> Destination:
        """A slot beyond the last one belongs to the owner of the last, who refuses what comes there."""
        return Destination(group, self._slots.owner(group, min(slot, self._slots.size(group) - 1)).name)
