"""Exponential backoff with full jitter: pauses of any length up to a limit that doubles with each failure.

Full, because what breaks breaks for many at once: pauses that have a least length would bring them back in waves.
"""

from random import Random

DOUBLINGS = 10


class Backoff:
    """Draws pauses in seconds, the first within 0 to `first`, none above `longest`."""

    def __init__(self, random: Random, first: float, longest: float) -> None:
        self._random = random
        self._first = first
        self._longest = longest
        self._failures = 0

    def next(self) -> float:
        """Count a failure and draw the pause after it."""
        limit: float = min(self._longest, self._first * 2 ** min(self._failures, DOUBLINGS))
        self._failures += 1
        return self._random.uniform(0.0, limit)

    def reset(self) -> None:
        """Begin anew after a success."""
        self._failures = 0
