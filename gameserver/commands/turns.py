"""Changes of one player's identity on this node, one after another.

Law: two at a time would only undo each other's preparations. Waiting is bounded in number and time; changes on other
nodes are kept apart by the player's `claims_epoch` (commands/identity.py).
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from gameserver.rules.errors import TooManyChanges

LONGEST_QUEUE = 32
"""Changes of one player that may wait."""
LONGEST_SECONDS = 5.0


@dataclass(slots=True)
class _Queue:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0


class Turns:
    """One per node."""

    def __init__(self) -> None:
        self._queues: dict[int, _Queue] = {}

    @contextlib.asynccontextmanager
    async def turn(self, player_id: int) -> AsyncIterator[None]:
        """Waits until no other change of the player is under way here. Raises TooManyChanges; nothing was begun."""
        queue = self._queues.setdefault(player_id, _Queue())
        if queue.waiting > LONGEST_QUEUE:
            raise TooManyChanges(retry_after=1)
        queue.waiting += 1
        try:
            await self._acquire(queue.lock)
            try:
                yield
            finally:
                queue.lock.release()
        finally:
            queue.waiting -= 1
            if not queue.waiting:
                del self._queues[player_id]

    async def _acquire(self, lock: asyncio.Lock) -> None:
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                await lock.acquire()
        except TimeoutError:
            raise TooManyChanges(retry_after=1) from None
