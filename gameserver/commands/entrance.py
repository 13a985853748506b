"""How many may sign up and sign in at a time.

Law: of those that begin at one database at most `most` are under way on a node, of all at most twice as many; one more
is refused before anything of it has begun. Each has several steps that wait behind others' (claims, player, session),
so without a bound each would stay within its time and the whole would not. A database that is silent fills its own
places, and never all of them.
"""

import contextlib
from collections import Counter
from collections.abc import Iterator

from gameserver.rules.errors import Overloaded

MOST = 512


class Entrance:
    """One per node."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._under_way: Counter[str] = Counter()

    @contextlib.contextmanager
    def place(self, database: str) -> Iterator[None]:
        """A place among those that begin at this database. Raises Overloaded."""
        if self._under_way[database] >= self._most or self._under_way.total() >= 2 * self._most:
            raise Overloaded("Too many sign up or in at this moment.", retry_after=1)
        self._under_way[database] += 1
        try:
            yield
        finally:
            self._under_way[database] -= 1
