"""The turn of a move to be copied to its target, which has one copy at a time.

Law: no mover that is frozen keeps it. A mover stands between two statements most of the time, and for as long as
another database needs, so no time-out of its session tells; but its lease lapses. Whoever waits ends the session of a
holder whose move nobody has leased; if that mover wakes, it begins another attempt.
"""

import time

import asyncpg

from gameserver.storage.postgres import statements
from gameserver.storage.postgres.locks import COPYING
from gameserver.storage.postgres.sole_locks import SoleLock
from gameserver.storage.sharding.lease import MoveLease

SQL = statements.load(__package__, "copy_turn.sql")
LOOK_SECONDS = 2.0
"""How often is looked whether the holder's move is leased: less often than the turn is asked for."""


class CopyTurn:
    """The turn, as one attempt asks for it again and again."""

    def __init__(self, lease: MoveLease) -> None:
        self._lease = lease
        self._lock = SoleLock(COPYING)
        self._next_look = 0.0

    async def take(self, target: asyncpg.Connection) -> bool:
        """Whether the connection has the turn now; it keeps it until its end.

        Raises DatabaseUnavailable, and what the driver does.
        """
        if await self._lock.take(target):
            return True
        if time.monotonic() < self._next_look:
            return False
        self._next_look = time.monotonic() + LOOK_SECONDS
        holder = await target.fetchval(SQL["holder"], COPYING)
        if holder is None or await self._lease.is_held(holder):
            return False
        await target.fetch(SQL["end"], COPYING, holder)
        return await self._lock.take(target)
