"""What version of a player was known when, so that a read which allows an age is judged by it."""

from collections import deque

LONGEST_AGE = 10.0
"""Seconds; an age that a read allows is at the most so long."""


class KnownVersions:
    """When each newest version became known, by the monotonic clock."""

    def __init__(self) -> None:
        self._known: deque[tuple[float, int]] = deque()

    def note(self, version: int, now: float) -> None:
        """A version was seen; older ones than the newest say nothing new."""
        if self._known and version <= self._known[-1][1]:
            return
        self._known.append((now, version))
        while len(self._known) > 1 and self._known[1][0] <= now - LONGEST_AGE:
            self._known.popleft()

    def at(self, moment: float) -> int:
        """The newest version that was known then; 0 if none was."""
        return next((version for at, version in reversed(self._known) if at <= moment), 0)
