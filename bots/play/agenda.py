"""One heap of due times: whatever a run does at a planned moment waits in it.

Law: things due are begun in the order of their due times, at most BURST in one turn of the event loop, so that answers
are read in between. How late each is begun, for no reason but this process's own, is kept.
"""

import asyncio
import time
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

BURST = 64
Begin = Callable[[float], None]


class Agenda:
    """Calls `begin(due)` when its time has come, in seconds of the monotonic clock; `lateness` grows by each."""

    def __init__(self, lateness: list[float]) -> None:
        self._lateness = lateness
        self._heap: list[tuple[float, int, Begin, float]] = []
        self._numbers = count()
        self._timer: asyncio.Handle | None = None
        self._loop = asyncio.get_running_loop()
        self._rings_at = float("inf")
        self.is_open = True

    def at(self, due: float, begin: Begin, known: float = 0.0) -> None:
        """Put something on the agenda; after `close` nothing happens.

        What was due before anybody could know of it, as a player's next turn is when its last answer came late, is late
        for this process's own reasons from `known` on.
        """
        if not self.is_open:
            return
        heappush(self._heap, (due, next(self._numbers), begin, max(due, known)))
        if due < self._rings_at:
            self._set_timer(due)

    def close(self, now: float) -> int:
        """Begin nothing more; returns how many things were due before `now` and weren't begun."""
        self.is_open = False
        left = sum(due < now for due, *_ in self._heap)
        self._heap.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        return left

    def _set_timer(self, due: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        ahead = due - time.monotonic()
        self._rings_at = due
        self._timer = self._loop.call_later(ahead, self._ring) if ahead > 0 else self._loop.call_soon(self._ring)

    def _ring(self) -> None:
        self._timer, self._rings_at = None, float("inf")
        now, heap = time.monotonic(), self._heap
        for _ in range(BURST):
            if not heap or heap[0][0] > now:
                break
            due, _, begin, known = heappop(heap)
            self._lateness.append(max(0.0, now - known))
            begin(due)
        if heap and self.is_open and heap[0][0] < self._rings_at:
            self._set_timer(heap[0][0])
