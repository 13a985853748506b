"""Questions to one group's tables that come while a statement is under way share the next one.

Law: a statement takes only questions that were asked before it began, on the primary, so a reply shows every write that
was acknowledged before its question. It says of each slot, as it saw it at the same moment, whether the database owns
it; what it doesn't own is asked of the next owner. How many questions wait, and for how long, is bounded for each
database by itself: a silent one holds up only what is asked of it.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic

import asyncpg
import structlog

from gameserver.coalescing import Bounds, ReplyT
from gameserver.rules.errors import DatabaseUnavailable
from gameserver.storage.postgres.connections import LOOK_UPS
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.faults import translated
from gameserver.storage.postgres.link import HOT_PATH, Link
from gameserver.storage.slots.lanes import Lanes, SlottedT
from gameserver.storage.slots.slot_map import MOVED_SECONDS, SlotMoved, Slots

BOUNDS = Bounds(flights=LOOK_UPS, together=500, waiting=20_000, seconds=5.0)
SETTINGS = {**HOT_PATH, "statement_timeout": "2000"}
log = structlog.get_logger()
Read = Callable[[asyncpg.Connection, Sequence[SlottedT]], Awaitable[Sequence[ReplyT | Exception]]]


class SharedReads(Generic[SlottedT, ReplyT]):
    """One per node and kind of question; `close` ends what is under way."""

    def __init__(self, slots: Slots, group: str, read: Read[SlottedT, ReplyT]) -> None:
        """`read` gives the replies in the order of the questions, with SlotMoved for what isn't owned."""
        self._slots, self._read = slots, read
        self._lanes: Lanes[SlottedT, ReplyT] = Lanes(slots, group, self._ask, BOUNDS, SETTINGS)

    async def ask(self, question: SlottedT) -> ReplyT:
        """Raises DatabaseUnavailable, also when the slot has no owner for too long, and Overloaded."""
        deadline = time.monotonic() + MOVED_SECONDS
        while True:
            try:
                return await self._lanes.ask(question)
            except SlotMoved:
                await self._slots.moved(deadline)

    async def close(self) -> None:
        """Refuses what waits, and closes the connections."""
        await self._lanes.close()

    async def _ask(self, database: Database, link: Link, questions: Sequence[SlottedT]) -> Sequence[ReplyT | Exception]:
        """Raises DatabaseUnavailable; the connection is dropped then."""
        try:
            with translated(database.name):
                return await self._read(await link.open(), questions)
        except asyncpg.PostgresError as error:
            log.exception("a look-up failed", database=database.name)
            link.drop()
            raise DatabaseUnavailable(f"A look-up failed: {type(error).__name__}.", retry_after=1) from error
        except BaseException:
            link.drop()
            raise
