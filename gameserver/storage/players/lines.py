"""Lines in which a player's commands wait for each other: one line per player, in the order of arrival."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TypeVar

from gameserver.rules.errors import DatabaseUnavailable
from gameserver.storage.players.pending import queue_full

T = TypeVar("T")


class PlayerLines:
    """Each command waits for at most `seconds` behind the one before it.

    At most `longest` wait in all lines together for the same databases: those for one that is silent leave room for all
    that don't need it.
    """

    def __init__(self, seconds: float, longest: int) -> None:
        self._seconds, self._longest = seconds, longest
        self._ends: dict[int, asyncio.Future[None]] = {}
        """By player: done when the last command in its line has left."""
        self._lined_up: Counter[tuple[str, ...]] = Counter()
        """How many are in line, by the databases that they need."""

    def has(self, player_id: int) -> bool:
        """Whether a command of the player is in line, so that later ones have to wait."""
        return player_id in self._ends

    async def run(self, player_id: int, databases: tuple[str, ...], work: Callable[[float], Awaitable[T]]) -> T:
        """Does the work after the player's earlier commands; takes its place in the line before the first await.

        `work` is given its deadline on the monotonic clock. Raises Overloaded, DatabaseUnavailable.
        """
        if self._lined_up[databases] >= self._longest:
            raise queue_full()
        before = self._ends.get(player_id)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._ends[player_id] = done
        self._lined_up[databases] += 1
        deadline = time.monotonic() + self._seconds
        try:
            if before is not None and not (await asyncio.wait([before], timeout=self._seconds))[0]:
                raise DatabaseUnavailable("Earlier commands take too long.", retry_after=1)
            return await work(deadline)
        finally:
            self._lined_up[databases] -= 1
            self._leave(player_id, done, before)

    def _leave(self, player_id: int, done: asyncio.Future[None], before: asyncio.Future[None] | None) -> None:
        """Lets the next in line go on, but not before the one in front has left."""
        if before is not None and not before.done():
            before.add_done_callback(lambda _: self._leave(player_id, done, None))
            return
        done.set_result(None)
        if self._ends.get(player_id) is done:
            del self._ends[player_id]
