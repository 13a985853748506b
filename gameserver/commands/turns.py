"""What one player may have under way only once at a time on this node: a change of its own, a read of each kind.

Law: two changes at a time would only undo each other's preparations, and each takes a connection that others need.
Waiting is bounded in number and time; changes on other nodes are kept apart by the player's `claims_epoch`
(commands/key_changes.py). Changes and reads take connections of shares of their own (storage/postgres/shares.py), so
one account, as fast as it may be, holds one place of those for which only its like wait.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Hashable
from dataclasses import dataclass, field

from gameserver.rules.errors import RateLimited, TooManyChanges
from gameserver.storage.postgres.shares import Purpose, using

LONGEST_QUEUE = 32
"""Changes of one player that may wait, or reads of one kind."""
LONGEST_SECONDS = 5.0


@dataclass(slots=True)
class _Queue:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0


class Turns:
    """One per node."""

    def __init__(self) -> None:
        self._queues: dict[Hashable, _Queue] = {}

    @contextlib.asynccontextmanager
    async def change(self, player_id: int) -> AsyncIterator[None]:
        """Waits until no other change of the player is under way here. Raises TooManyChanges; nothing was begun."""
        async with self._turn(player_id, TooManyChanges(retry_after=1)):
            with using(Purpose.CHANGES):
                yield

    @contextlib.asynccontextmanager
    async def read(self, player_id: int, what: str) -> AsyncIterator[None]:
        """Waits until no other read of this kind is under way here for the player. Raises RateLimited."""
        refusal = RateLimited("Too many of these requests are under way for this player.", retry_after=1)
        async with self._turn((player_id, what), refusal):
            with using(Purpose.READS):
                yield

    @contextlib.asynccontextmanager
    async def _turn(self, key: Hashable, refusal: RateLimited) -> AsyncIterator[None]:
        queue = self._queues.setdefault(key, _Queue())
        if queue.waiting > LONGEST_QUEUE:
            raise refusal
        queue.waiting += 1
        try:
            await _acquire(queue.lock, refusal)
            try:
                yield
            finally:
                queue.lock.release()
        finally:
            queue.waiting -= 1
            if not queue.waiting:
                del self._queues[key]


async def _acquire(lock: asyncio.Lock, refusal: RateLimited) -> None:
    if not lock.locked():
        await lock.acquire()
        return
    try:
        async with asyncio.timeout(LONGEST_SECONDS):
            await lock.acquire()
    except TimeoutError:
        raise refusal from None
