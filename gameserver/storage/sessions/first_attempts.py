"""Which sign-ins of an address are its first at this node in a while; Redis isn't asked about those.

Law: what isn't counted at once is counted with the address' next one here, and forgotten if none comes in a while. So
of an address each node lets no more than one pass uncounted in WHILE intervals of its limit, beyond what it may have.
"""

import time
from collections.abc import Callable

from gameserver.rules.pacing import Pace

WHILE = 16
"""Intervals. Where a limit allows fewer at once, every one is counted."""
LARGEST_TABLE = 50_000


class FirstAttempts:
    """One per node and limit; `clock` gives nanoseconds and never goes back."""

    def __init__(self, pace: Pace, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._clock, self._period = clock, pace.interval * WHILE
        self._counts_all = pace.burst < WHILE
        self._present: dict[str, bool] = {}
        """Whether one of an address is still to be counted."""
        self._past: dict[str, bool] = {}
        self._until = 0

    def __len__(self) -> int:
        return len(self._present) + len(self._past)

    def note(self, address: str) -> bool:
        """Notes one; whether it is the first, which isn't counted yet."""
        if self._counts_all:
            return False
        now = self._clock()
        if now > self._until or len(self._present) >= LARGEST_TABLE:
            self._past = self._present if now <= self._until + self._period else {}
            self._present, self._until = {}, now + self._period
        if address in self._present:
            return False
        is_first = address not in self._past
        self._present[address] = is_first or self._past.pop(address)
        return is_first

    def take_uncounted(self, address: str) -> bool:
        """Whether one of the address is still to be counted; from now on none is."""
        if not self._present.get(address):
            return self._past.pop(address, False)
        self._present[address] = False
        return True
