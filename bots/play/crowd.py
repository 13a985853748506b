"""The players of one habit in an open load, and the operations that wait until one of them is free.

Law: a player does one thing at a time. An operation whose planned moment comes while all are busy waits for the first
that is free, in order, and its latency runs from the planned moment; of more than MOST_WAITING the rest are unsent.
"""

from collections import deque
from collections.abc import Callable, Sequence

from bots.play.bot import Bot

MOST_WAITING = 100_000
Begin = Callable[[Bot, float], None]


class Crowd:
    """Some players and the line before them; `begin(bot, planned)` begins an operation, `free` follows at its end."""

    def __init__(self, bots: Sequence[Bot], begin: Begin) -> None:
        self._free = deque(bots)
        self._waiting: deque[float] = deque()
        self._begin = begin
        self._turned_away = 0

    def arrive(self, planned: float) -> None:
        """Take an operation."""
        if self._free:
            self._begin(self._free.popleft(), planned)
        elif len(self._waiting) < MOST_WAITING:
            self._waiting.append(planned)
        else:
            self._turned_away += 1

    def free(self, bot: Bot) -> None:
        """Take back a player; it does what has waited longest."""
        if self._waiting:
            self._begin(bot, self._waiting.popleft())
        else:
            self._free.append(bot)

    def close(self) -> int:
        """Begin nothing more; returns how many operations were planned and never begun."""
        unsent = len(self._waiting) + self._turned_away
        self._waiting.clear()
        return unsent
