"""How far the changes of each database have been announced, and when its boards were up to date last, in Redis.

Law: a mark is stored after what it says was done. So a follower that takes over announces some changes twice and none
never, also where there is no board whose checkpoint would say how far its predecessor came; and every node, whether it
follows or not, can tell how old the boards are. A mark that Redis has lost is no loss: whoever is connected gets
everything anew then.
"""

from typing import NamedTuple

from redis.asyncio import Redis

from gameserver.storage.redis import clients

KEPT_SECONDS = 3600
DIGITS = 15
"""Of a time that is one, at the most."""
_KEY = "gs:{followed}:"


class Mark(NamedTuple):
    """`current_ms` is when the boards were up to date last, by the clock of the node that followed."""

    current_ms: int
    checkpoint: str


class FollowerMarks:
    """One per node. Every call raises RedisError when Redis is away."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def read(self, database: str) -> Mark | None:
        """None if there is none that can be read."""
        current, _, checkpoint = (await clients.send(self._redis, "GET", _KEY + database) or b"").partition(b" ")
        if not current.isdigit() or len(current) > DIGITS:
            return None
        return Mark(int(current), checkpoint.decode(errors="replace"))

    async def write(self, database: str, mark: Mark) -> None:
        text = f"{mark.current_ms} {mark.checkpoint}"
        await clients.send(self._redis, "SET", _KEY + database, text, "EX", KEPT_SECONDS)
