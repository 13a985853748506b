"""Exponential backoff with full jitter: each pause is drawn between 0 and a limit that doubles with every failure.

From 0, because a failure hits many clients at once: pauses with a least length would bring them back in waves.
"""

from random import Random

DOUBLINGS = 10


class Backoff:
    """Draws pauses in seconds: the first between 0 and `first`, none longer than `longest`."""

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
        """Start over after a success."""
        self._failures = 0
