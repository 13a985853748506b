"""How long the boards haven't been up to date with a database, as each node's figures say it.

Law: the age counts from the end of the last turn that left nothing to read or to write, whichever node took it, and
grows until the next such turn. A node that doesn't follow reads in the mark when that was.
"""

import time
from contextlib import suppress
from typing import ClassVar

from redis.exceptions import RedisError

from gameserver.storage.boards.marks import FollowerMarks
from gameserver.telemetry import FOLLOWER_AGE


class BoardsAge:
    """One per follower; `current` is in Unix seconds, at first when the node began."""

    _shown: ClassVar[dict[str, list["BoardsAge"]]] = {}
    """By database, those of this process' nodes."""

    def __init__(self, database: str, marks: FollowerMarks) -> None:
        self._database, self._marks = database, marks
        self.current = time.time()

    def show(self) -> None:
        """Among the figures, of several nodes of a process the highest, until `hide`."""
        shown = self._shown.setdefault(self._database, [])
        shown.append(self)
        FOLLOWER_AGE.labels(self._database).set_function(
            lambda: max((max(0.0, time.time() - each.current) for each in shown), default=0.0)
        )

    def hide(self) -> None:
        """A database that is left has no age here any more."""
        self._shown[self._database].remove(self)
        if not self._shown[self._database]:
            del self._shown[self._database]
            FOLLOWER_AGE.remove(self._database)

    async def learn(self) -> None:
        """What another node's follower has come to; while Redis is away, the age grows."""
        with suppress(RedisError):
            mark = await self._marks.read(self._database)
            if mark is not None:
                self.current = min(mark.current_ms / 1000, time.time())
