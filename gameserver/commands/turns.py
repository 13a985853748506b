"""What one player may have under way only once at a time on this node: a change of its own, a read of each kind.

Law: two changes at a time would only undo each other's preparations, and each takes a connection that others need.
Waiting is bounded in number and time; changes on other nodes are kept apart by the player's `claims_epoch`
(commands/key_changes.py). Changes and reads take connections of shares of their own (storage/postgres/shares.py), so
one account, as fast as it may be, holds one place of those for which only its like wait.
"""

import asyncio
from collections.abc import Hashable
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

    def change(self, player_id: int) -> "Turn":
        """Waits until no other change of the player is under way here. Raises TooManyChanges; nothing was begun."""
        return Turn(self._queues, player_id, Purpose.CHANGES)

    def read(self, player_id: int, what: str) -> "Turn":
        """Waits until no other read of this kind is under way here for the player. Raises RateLimited."""
        return Turn(self._queues, (player_id, what), Purpose.READS)


class Turn:
    """Holds a place of one queue within a block. A class, for a generator costs every read three times as much."""

    __slots__ = ("_key", "_queue", "_queues", "_using")

    def __init__(self, queues: dict[Hashable, _Queue], key: Hashable, purpose: Purpose) -> None:
        self._queues, self._key, self._using = queues, key, using(purpose)

    async def __aenter__(self) -> None:
        queue = self._queues.get(self._key)
        if queue is None:
            queue = self._queues[self._key] = _Queue()
        if queue.waiting > LONGEST_QUEUE:
            raise self._refusal()
        self._queue = queue
        queue.waiting += 1
        try:
            await self._acquire(queue)
        except BaseException:
            self._leave()
            raise
        self._using.__enter__()

    async def __aexit__(self, *_: object) -> None:
        self._using.__exit__()
        self._queue.lock.release()
        self._leave()

    async def _acquire(self, queue: _Queue) -> None:
        # A lock that nobody holds may have been left to one who waits.
        if queue.waiting == 1:
            await queue.lock.acquire()
            return
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                await queue.lock.acquire()
        except TimeoutError:
            raise self._refusal() from None

    def _leave(self) -> None:
        self._queue.waiting -= 1
        if not self._queue.waiting:
            del self._queues[self._key]

    def _refusal(self) -> RateLimited:
        if self._using.purpose is Purpose.CHANGES:
            return TooManyChanges(retry_after=1)
        return RateLimited("Too many of these requests are under way for this player.", retry_after=1)
