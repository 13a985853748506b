"""How many wrong passwords came from each network of late.

Law: a right password forgets the wrong ones of its own account, so whoever mistypes is soon as good as new, and whoever
guesses at another's isn't, whatever accounts it has itself. Each is forgotten after a minute. Not by address: a network
that guesses has a new one for each guess. Bounded: of a network the last MOST are known, and when too many networks
are, all are forgotten.
"""

import time
from typing import NamedTuple

from gameserver.commands.fair_turns import Source

MOST = 4
"""Wrong ones that are counted."""
FORGOTTEN_SECONDS = 60.0
MOST_KNOWN = 10_000


class _Wrong(NamedTuple):
    """A wrong password: the hash of its account's, and when it came."""

    hashed: str
    at: float


class Guesses:
    """One per node."""

    def __init__(self) -> None:
        self._wrong: dict[str, list[_Wrong]] = {}
        """By network, the oldest first."""

    def note(self, source: Source, hashed: str, *, wrong: bool) -> None:
        """Counts a password of this network, tried at the account whose password has this hash."""
        network, known = source[0], self._known(source)
        if wrong:
            if len(self._wrong) >= MOST_KNOWN:
                self._wrong.clear()
            self._wrong[network] = [*known, _Wrong(hashed, time.monotonic())][-MOST:]
        elif others := [each for each in known if each.hashed != hashed]:
            self._wrong[network] = others
        else:
            self._wrong.pop(network, None)

    def of(self, source: Source) -> int:
        """How many wrong ones its network has, at most MOST."""
        return len(self._known(source))

    def _known(self, source: Source) -> list[_Wrong]:
        since = time.monotonic() - FORGOTTEN_SECONDS
        return [each for each in self._wrong.get(source[0], ()) if each.at > since]
