"""How many wrong passwords came from each network of late.

Law: one is forgotten for each right password, and all of them a minute after the last wrong one. So whoever mistypes is
soon as good as new, and whoever guesses isn't. Not by address: a network that guesses has a new one for each guess.
Bounded: when too many networks are known, all are forgotten.
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
        self._wrong: dict[str, tuple[int, float]] = {}
        """By network: how many, and when the last one came."""

    def note(self, source: Source, *, wrong: bool) -> None:
        """Counts a password of this network."""
        network, count = source[0], self.of(source)
        if wrong:
            if len(self._wrong) >= MOST_KNOWN:
                self._wrong.clear()
            self._wrong[network] = min(MOST, count + 1), time.monotonic()
        elif count > 1:
            self._wrong[network] = count - 1, self._wrong[network][1]
        else:
            self._wrong.pop(network, None)

    def of(self, source: Source) -> int:
        """How many wrong ones its network has, at most MOST."""
        count, last = self._wrong.get(source[0], (0, 0.0))
        return count if time.monotonic() < last + FORGOTTEN_SECONDS else 0
