"""Writes to one group's tables that come while a transaction is under way share the next one.

The group commit of players keeps each player's commands in order; what is written here has no order of its own: keys
are claimed, and players are made, each once.

Law: a transaction takes the group's fence, then reads which of the slots the database owns, then writes; a reply is
given only after its commit, which waits for a standby also where everything had been written before. What the database
doesn't own is asked of the next owner. A batch that the database refuses is tried once more as single writes, so that
one bad row can't fail its neighbours. When a commit's answer is lost, or the server warns at it, the writes fail with
OutcomeUnknown; after every other error nothing was written. How many wait, and for how long, is bounded for each
database by itself: a silent one holds up only what is written to it.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

import asyncpg
import structlog

from gameserver.coalescing import Bounds
from gameserver.rules.errors import DatabaseUnavailable, GameError, Internal, OutcomeUnknown, Overloaded, Unavailable
from gameserver.storage.postgres import statements
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.driver import LEAVE_A_MARK
from gameserver.storage.postgres.faults import BUSY, LOST, translated
from gameserver.storage.postgres.link import HOT_PATH, Link
from gameserver.storage.postgres.locks import FENCES
from gameserver.storage.postgres.patience import TRANSACTION
from gameserver.storage.slots.lanes import Lanes, SlottedT
from gameserver.storage.slots.slot_map import MOVED_SECONDS, SlotMoved, Slots
from gameserver.telemetry import DATABASE_FAULTS

SQL = statements.load(__package__, "shared_writes.sql")
BOUNDS = Bounds(flights=1, together=200, waiting=5_000, seconds=3.0)
SETTINGS = {
    **HOT_PATH,
    "idle_in_transaction_session_timeout": "2000",
    "statement_timeout": "2000",
    "lock_timeout": "500",
    TRANSACTION: "10000",
}
"""In milliseconds. A key that another node holds in an open transaction holds up its neighbours for no longer."""
SINGLE_SECONDS = 2.0
"""How long single writes may go on after a bad batch; what isn't tried by then fails."""
BUSY_PAUSE = 0.05
"""Seconds until a write that the database was too busy for is tried again."""
log = structlog.get_logger()


WrittenT = TypeVar("WrittenT")
Work = Callable[[asyncpg.Connection, Sequence[SlottedT]], Awaitable[Sequence[WrittenT | Exception]]]


class Busy(Exception):
    """Nothing was written: a lock was held (for too long), or two transactions waited for each other."""


class SharedWrites(Generic[SlottedT, WrittenT]):
    """One per node and kind of write; `close` ends what is under way."""

    def __init__(self, slots: Slots, group: str, work: Work[SlottedT, WrittenT]) -> None:
        """`work` writes within a transaction, and gives the replies in the order of the writes.

        A reply may be an exception, for its caller alone; after Busy the write is tried again for a while.
        """
        self._slots, self._group, self._work = slots, group, work
        self._lanes: Lanes[SlottedT, WrittenT] = Lanes(slots, group, self._commit, BOUNDS, SETTINGS)

    async def write(self, what: SlottedT) -> WrittenT:
        """The reply to one write. Raises OutcomeUnknown; DatabaseUnavailable, Overloaded (nothing was written)."""
        return await self._reply(what, self.begin(what))

    async def write_all(self, writes: Sequence[SlottedT]) -> list[WrittenT]:
        """The replies to several writes, each in its own place. Raises what `write` does, when all have ended."""
        begun = [(what, self.begin(what)) for what in writes]
        replies, failure = list[WrittenT](), None
        for what, reply in begun:
            try:
                replies.append(await self._reply(what, reply))
            except GameError as error:
                failure = failure or error
        if failure is not None:
            raise failure
        return replies

    def begin(self, what: SlottedT) -> asyncio.Future[WrittenT]:
        """Queues a write that nobody has to wait for; it fails with SlotMoved, too, and with Overloaded at once."""
        try:
            begun = self._lanes.ask(what)
        except Overloaded as error:
            begun = asyncio.get_running_loop().create_future()
            begun.set_exception(error)
        begun.add_done_callback(_retrieve)
        return begun

    async def close(self) -> None:
        """Refuses what waits, and closes the connections."""
        await self._lanes.close()

    async def _reply(self, what: SlottedT, begun: asyncio.Future[WrittenT]) -> WrittenT:
        """Waits for a write that was begun, and asks the next owner if the slot has moved."""
        deadline = time.monotonic() + MOVED_SECONDS
        while True:
            try:
                return await begun
            except SlotMoved:
                await self._slots.moved(deadline)
            except Busy:
                if time.monotonic() > deadline:
                    raise DatabaseUnavailable("The database is too busy: try again.", retry_after=1) from None
                await asyncio.sleep(BUSY_PAUSE)
            begun = self.begin(what)

    async def _commit(
        self, database: Database, link: Link, writes: Sequence[SlottedT]
    ) -> Sequence[WrittenT | Exception]:
        try:
            return await self._transaction(database, link, writes)
        except asyncpg.PostgresError as error:
            DATABASE_FAULTS.labels(database.name, type(error).__name__).inc()
            log.warning("a batch failed", database=database.name, writes=len(writes), error=str(error))
            return await self._singly(database, link, writes)

    async def _singly(self, database: Database, link: Link, writes: Sequence[SlottedT]) -> list[WrittenT | Exception]:
        deadline, replies = time.monotonic() + SINGLE_SECONDS, list[WrittenT | Exception]()
        for write in writes:
            if time.monotonic() > deadline:
                replies.append(Busy())
                continue
            try:
                replies += await self._transaction(database, link, [write])
            except BUSY:
                replies.append(Busy())
            except Unavailable as error:
                replies.append(error)
                deadline = 0.0
            except asyncpg.PostgresError as error:
                log.error("a write failed", database=database.name, group=self._group, exc_info=error)
                replies.append(Internal("This could not be written."))
        return replies

    async def _transaction(
        self, database: Database, link: Link, writes: Sequence[SlottedT]
    ) -> Sequence[WrittenT | Exception]:
        """Raises DatabaseUnavailable, Overloaded and driver errors when nothing was written, or else OutcomeUnknown."""
        try:
            connection = await link.open()
            await connection.foresee(SQL[f"{self._group}_owned"])
            fence = f"pg_advisory_xact_lock_shared({FENCES[self._group]})"
            await connection.execute(f"begin; select {fence}, {LEAVE_A_MARK}")
            rows = await connection.fetch(SQL[f"{self._group}_owned"], list({write.slot for write in writes}))
            owned = {row["slot"] for row in rows}
            present = [write for write in writes if write.slot in owned]
            replies = iter(await self._work(connection, present) if present else ())
            await connection.execute("commit")
        except LOST as error:
            link.drop()
            with translated(database.name):
                raise error
        except asyncio.CancelledError as error:
            # The node is stopping: the commit may be on its way, or nothing was written.
            unsure = link.is_committing
            link.drop()
            raise (OutcomeUnknown if unsure else Overloaded)("The node is stopping.", retry_after=1) from error
        except BaseException:
            link.drop()
            raise
        return [next(replies) if write.slot in owned else SlotMoved() for write in writes]


def _retrieve(begun: asyncio.Future[Any]) -> None:
    """An error that nobody waits for any more isn't reported."""
    if not begun.cancelled():
        begun.exception()
