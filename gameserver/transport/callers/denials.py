"""Which address makes most of a node's denials: a hostile one, or a proxy that the settings don't name.

Law: at most one warning a minute, and bounded memory: beyond MOST_ADDRESSES in a minute further ones only count in the
total. It is told as soon as an address has LEAST denials of the minute and more than half of all.
"""

import time
from collections import Counter
from collections.abc import Callable

import structlog

MINUTE = 60.0
LEAST = 100
MOST_ADDRESSES = 10_000
log = structlog.get_logger()


class DenialWatch:
    """One per node; `clock` gives seconds and never goes back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until = clock() + MINUTE
        self._counts: Counter[str] = Counter()
        self._total, self._told = 0, False

    def note(self, address: str) -> None:
        """Counts a request or a connection of this address that a limit has denied."""
        now = self._clock()
        if now >= self._until:
            self._until, self._total, self._told = now + MINUTE, 0, False
            self._counts.clear()
        self._total += 1
        if address not in self._counts and len(self._counts) >= MOST_ADDRESSES:
            return
        self._counts[address] += 1
        count = self._counts[address]
        if not self._told and count >= LEAST and 2 * count > self._total:
            self._told = True
            log.warning(
                "one address makes most denials; if all players come from it, a setting must name that proxy",
                address=address,
                denied=count,
                of=self._total,
                see="docs/limits.md",
            )
