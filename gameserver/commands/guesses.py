"""How many wrong passwords came from each network, and from each address, of late.

Law: one is forgotten for each right password, and all of them a minute after the last wrong one. So whoever mistypes is
soon as good as new, and whoever guesses isn't. Bounded: when too many are known, all are forgotten.
"""

import time

from gameserver.commands.fair_turns import Source

MOST = 4
"""Wrong ones that are counted."""
FORGOTTEN_SECONDS = 60.0
MOST_KNOWN = 10_000


class Guesses:
    """One per node."""

    def __init__(self) -> None:
        self._wrong: dict[Source, tuple[int, float]] = {}
        """By a part of a path, such as a network: how many, and when the last one came."""

    def note(self, source: Source, *, wrong: bool) -> None:
        """Counts a password, for each part of the path from which it came."""
        if len(self._wrong) >= MOST_KNOWN:
            self._wrong.clear()
        for length in range(1, len(source) + 1):
            part = source[:length]
            count = self.of(part)
            if wrong:
                self._wrong[part] = min(MOST, count + 1), time.monotonic()
            elif count > 1:
                self._wrong[part] = count - 1, self._wrong[part][1]
            else:
                self._wrong.pop(part, None)

    def of(self, part: Source) -> int:
        """How many wrong ones, at most MOST."""
        count, last = self._wrong.get(part, (0, 0.0))
        return count if time.monotonic() < last + FORGOTTEN_SECONDS else 0

    def fewer(self, one: Source, other: Source) -> bool:
        """Whether one guesses less than another: its network, or, where they are of the same one, its address."""
        if one[0] != other[0]:
            one, other = one[:1], other[:1]
        return self.of(one) < self.of(other)
