"""How long the boards haven't been up to date with a database, as each node's figures say it.

Law: the age counts from the end of the last turn that left nothing to read or to write, whichever node took it, and
grows until the next such turn. A node that doesn't follow reads in the mark when that was.
"""

import time
from contextlib import suppress

from redis.exceptions import RedisError

from gameserver.storage.boards.marks import FollowerMarks
from gameserver.telemetry import FOLLOWER_AGE


class BoardsAge:
    """One per follower; `current` is in Unix seconds, at first when the node began."""

    def __init__(self, database: str, marks: FollowerMarks) -> None:
        self._database, self._marks = database, marks
        self.current = time.time()

    def show(self) -> None:
        """Among the node's figures, until `hide`."""
        FOLLOWER_AGE.labels(self._database).set_function(lambda: max(0.0, time.time() - self.current))

    def hide(self) -> None:
        with suppress(KeyError):
            FOLLOWER_AGE.remove(self._database)

    async def learn(self) -> None:
        """What another node's follower has come to; while Redis is away, the age grows."""
        with suppress(RedisError):
            mark = await self._marks.read(self._database)
            if mark is not None:
                self.current = mark.current_ms / 1000
