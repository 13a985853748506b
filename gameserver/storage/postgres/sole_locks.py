"""Locks that one session has alone, for a kind of work or while it holds up all writes. `locks` has their numbers.

Law: whoever freezes while it has one loses it after a bounded time. Idle it is ended by `idle_session_timeout`, in a
transaction by `patience`. In the middle of a statement, between its parsing and its arguments, Postgres has a time-out
since version 17 only; so the next one who wants the lock ends a session that stands there. One whose lock is lost so
notices, since its connection is lost, too.
"""

import contextlib
import time
from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg

from gameserver.storage.postgres import statements
from gameserver.storage.postgres.driver import DriverConnection

SQL = statements.load(__package__, "sole_locks.sql")
FROZEN = timedelta(seconds=4)
"""After which a session that has sent half of a statement is taken for frozen."""
LOOK_SECONDS = 2.0
"""How often is looked whether the holder is frozen: less often than the lock is asked for."""


class SoleLock:
    """One lock, as one process asks for it again and again."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._next_look = 0.0

    async def take(self, connection: asyncpg.Connection) -> bool:
        """Whether the connection has the lock now; it keeps it until its end. Raises what the driver does."""
        if await connection.fetchval(SQL["take"], self._number):
            return True
        if time.monotonic() < self._next_look:
            return False
        self._next_look = time.monotonic() + LOOK_SECONDS
        return await end_frozen(connection, self._number) and bool(await connection.fetchval(SQL["take"], self._number))


async def end_frozen(connection: asyncpg.Connection, number: int) -> bool:
    """Ends the sessions that hold an advisory lock and are frozen amid a statement; whether there were any."""
    return bool(await connection.fetch(SQL["end_frozen"], number, FROZEN))


@contextlib.asynccontextmanager
async def fenced_alone(
    connection: DriverConnection, fence: int, milliseconds: int, *foreseen: str
) -> AsyncIterator[None]:
    """A transaction that has a fence alone; everybody's writes wait from when it asks for it until its end.

    `foreseen` are the statements with arguments of the block. Raises what the driver does, LockNotAvailableError after
    so many milliseconds: then whoever had the fence and is frozen has it no more.
    """
    await connection.foresee(SQL["fence"], *foreseen)
    try:
        async with connection.transaction():
            await connection.execute(f"set local lock_timeout = {milliseconds}")
            await connection.execute(SQL["fence"], fence)
            yield
    except asyncpg.LockNotAvailableError:
        await end_frozen(connection, fence)
        raise
