"""How long a batch waits for players that the last one has just answered: those that act again share it.

Law: a batch waits only while it would begin less than half a transaction's time, and at the most LONGEST_SECONDS, after
the end of the last one. A player that acts while nobody else does never waits. Without this the players of a busy node
fall into two groups that commit by turns, in transactions of half the size; each costs the node and the database as
much as a dozen commands.
"""

import asyncio
import time
from collections.abc import Sized

LONGEST_SECONDS = 0.02


class Returning:
    """One per committer."""

    def __init__(self) -> None:
        self._expected = 0
        self._until = 0.0
        self._waiting: set[asyncio.Future[None]] = set()

    def note(self, players: int, seconds: float) -> None:
        """A transaction that took this long has just ended; so many players may act next."""
        self._expected = players
        self._until = time.monotonic() + min(seconds / 2, LONGEST_SECONDS)

    def see(self, ready: int) -> None:
        """So many players are ready now."""
        if self._waiting and ready >= self._expected:
            for waiting in self._waiting:
                if not waiting.done():
                    waiting.set_result(None)

    async def wait(self, ready: Sized) -> None:
        """Waits until as many players are ready as may act next, or it is time to begin."""
        rest = self._until - time.monotonic()
        if len(ready) >= self._expected or rest <= 0:
            return
        waiting = asyncio.get_running_loop().create_future()
        self._waiting.add(waiting)
        try:
            if not (await asyncio.wait([waiting], timeout=rest))[0]:
                self._until = 0.0  # a timer may be a little early
        finally:
            self._waiting.discard(waiting)
