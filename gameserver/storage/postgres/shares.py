"""Shares of a process's connections to one database: nothing waits for connections that serve another purpose.

Law: every purpose has EACH connections of its own, and together they are the whole pool. So whoever asks for renames or
for pages of the ledger as fast as it can waits for others who do the same, and never holds up a sign-in. How many wait
for a share, and for how long, is bounded.

The purpose is that of the command or of the background work (`using`), and holds for whatever it calls, since a
sign-in, a rename and a sweeper look at the same claims and players. What many callers share names a purpose of its own.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextvars import ContextVar
from enum import Enum
from functools import partial

from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from gameserver.rules.errors import Overloaded
from gameserver.telemetry import POOL_USED, POOL_WAITING


class Purpose(Enum):
    """What a connection is for."""

    ENTRY = "entry"
    """Signing up and in, and whatever names no other purpose."""
    PLAY = "play"
    """What actions take and grant in another database."""
    READS = "reads"
    """Pages of ledgers and inboxes, items, friends, blocks and feeds."""
    CHANGES = "changes"
    """Players' changes of their passwords."""
    UPKEEP = "upkeep"
    """What nodes do by themselves."""


EACH = 2
"""Connections of each purpose."""
POOL = EACH * len(Purpose)
LONGEST_QUEUE = 500
"""How many may wait for a share."""
_purpose: ContextVar[Purpose] = ContextVar("purpose", default=Purpose.ENTRY)


class Using:
    """As `using` says. A class, for a generator costs every read three times as much."""

    __slots__ = ("_token", "purpose")

    def __init__(self, purpose: Purpose) -> None:
        self.purpose = purpose

    def __enter__(self) -> None:
        self._token = _purpose.set(self.purpose)

    def __exit__(self, *_: object) -> None:
        _purpose.reset(self._token)


def using(purpose: Purpose) -> Using:
    """Within the block, connections are taken from this purpose's share."""
    return Using(purpose)


class Shares:
    """The shares of one database's pool; nobody waits for longer than `seconds`."""

    def __init__(self, database: str, seconds: float) -> None:
        self._database, self._seconds = database, seconds
        self._free = {purpose: asyncio.Semaphore(EACH) for purpose in Purpose}
        self._waiting = dict.fromkeys(Purpose, 0)
        self._used = {purpose: POOL_USED.labels(database, purpose.value) for purpose in Purpose}
        for purpose in Purpose:
            POOL_WAITING.labels(database, purpose.value).set_function(partial(self._waiting.__getitem__, purpose))

    def waiting(self, purpose: Purpose) -> int:
        """How many wait for a share at the moment."""
        return self._waiting[purpose]

    @contextlib.asynccontextmanager
    async def take(self) -> AsyncIterator[None]:
        """A connection's place in the share of the present purpose.

        Raises Overloaded if too many wait, and PoolTimeoutError after `seconds`.
        """
        purpose = _purpose.get()
        free = self._free[purpose]
        if free.locked():
            await self._wait(purpose, free)
        else:
            await free.acquire()
        used = self._used[purpose]
        used.inc()
        try:
            yield
        finally:
            used.dec()
            free.release()

    async def _wait(self, purpose: Purpose, free: asyncio.Semaphore) -> None:
        if self._waiting[purpose] >= LONGEST_QUEUE:
            raise Overloaded(f"Too many wait for the database {self._database}.", retry_after=1)
        self._waiting[purpose] += 1
        try:
            async with asyncio.timeout(self._seconds):
                await free.acquire()
        except TimeoutError:
            raise PoolTimeoutError(f"the {EACH} connections for {purpose.value} are in use") from None
        finally:
            self._waiting[purpose] -= 1
