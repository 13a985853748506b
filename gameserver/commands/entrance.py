"""How many may sign up and sign in at a time.

Law: each is counted at the databases that it waits for at this moment, or waited for last; before it has asked one, at
that of its first key. Where `most` are counted no more come in, and of all no more than twice as many: only a database
that has less than an eighth of `most` still lets some in, so those that are silent, however many, shut no other. Who
comes in is turned away before anything of it has begun, and of a sign-in also when its player's database is known.
Each has several steps that wait behind others' (claims, player, session), so without a bound each would stay within its
time and the whole would not.
"""

import contextlib
from collections import Counter
from collections.abc import Iterator

from gameserver.rules.errors import Overloaded
from gameserver.storage.postgres.waits import counted_by

MOST = 512
SPARED = 8
"""A database keeps this part of its places, whatever the others hold."""


class Entrance:
    """One per node."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._waiting: Counter[str] = Counter()
        self._inside = 0

    @contextlib.contextmanager
    def place(self, database: str, *others: str) -> Iterator[None]:
        """A place for one that begins at this database, and is known to need the others. Raises Overloaded."""
        needed = {database, *others}
        self.require_room(*needed)
        if self._inside >= 2 * self._most and any(self._waiting[name] >= self._spared for name in needed):
            raise _too_many()
        visit = _Visit(self._waiting, database)
        self._inside += 1
        try:
            with counted_by(visit):
                yield
        finally:
            self._inside -= 1
            visit.leave()

    def require_room(self, *databases: str) -> None:
        """Raises Overloaded if too many wait for one of the databases."""
        if any(self._waiting[name] >= self._most for name in databases):
            raise _too_many()

    @property
    def _spared(self) -> int:
        return max(1, self._most // SPARED)


class _Visit:
    """One sign-up or sign-in, in the counts of all."""

    def __init__(self, waiting: Counter[str], first: str) -> None:
        self._waiting, self._last = waiting, first
        self._asked: Counter[str] = Counter()
        """How many of its questions wait, by database; while there are none, it is counted at the last one."""
        self._inside = True
        waiting[first] += 1

    def begin(self, database: str) -> None:
        if self._inside and not self._asked:
            self._waiting[self._last] -= 1
        self._asked[database] += 1
        if self._asked[database] == 1:
            self._waiting[database] += 1

    def end(self, database: str) -> None:
        self._asked[database] -= 1
        if self._asked[database]:
            return
        del self._asked[database]
        if self._inside and not self._asked:
            self._last = database
        else:
            self._waiting[database] -= 1

    def leave(self) -> None:
        """What it has asked and doesn't wait for is counted until it is answered."""
        self._inside = False
        if not self._asked:
            self._waiting[self._last] -= 1


def _too_many() -> Overloaded:
    return Overloaded("Too many sign up or in at this moment.", retry_after=1)
