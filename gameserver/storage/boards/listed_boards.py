"""The contests that have keys in Redis, and the end of those that nobody asks for any more.

Law: a contest's state says when a node that wants it has asked for it last. What nobody has asked for in an hour goes
with all its keys, whyever it went out of use: its board has left the game, or its season was closed while Redis was
away. What the game still has stays, however long no node could ask.
"""

import re
from collections.abc import Collection, Sequence
from typing import NamedTuple

from redis.asyncio import Redis

from gameserver.storage.boards.layout import CONSTANTS, Contest, prefix_of
from gameserver.storage.redis import clients
from gameserver.storage.redis.scripts import Script

IDLE_SECONDS = 3600
_KEY = "gs:{boards}"
_STATE = re.compile(rb"gs:\{board:[^{}]+\}:\d+:state")


class DropIdleCall(NamedTuple):
    state: str
    prefix: str
    idle_seconds: int


class ListedBoards:
    """One per client. Every call raises RedisError when Redis is away."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._drop = Script(redis, __package__, "drop_idle", DropIdleCall, CONSTANTS)

    async def add(self, contests: Sequence[Contest]) -> None:
        if contests:
            await clients.send(self._redis, "SADD", _KEY, *(contest.state for contest in contests))

    async def drop_idle(self, kept: Collection[str]) -> int:
        """Deletes what nobody has asked for in an hour, except the contests of these states; how many contests."""
        dropped = 0
        for member in await clients.send(self._redis, "SMEMBERS", _KEY):
            state = member.decode(errors="replace")
            if state in kept:
                continue
            if not _STATE.fullmatch(member) or await self._drop(DropIdleCall(state, prefix_of(state), IDLE_SECONDS)):
                dropped += await clients.send(self._redis, "SREM", _KEY, member)
        return dropped
