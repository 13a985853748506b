"""The ends of sessions, as every node hears of them: a stream in Redis in which a gap shows.

Law: a revocation is its entry in the stream, and what else it takes follows from the entry, by whoever reads it; so a
node that dies in the middle of one has either ended the session everywhere or not at all. A read begins with the entry
that was read last: where that is missing, since the stream was trimmed beyond it, lost, or is an older one again, the
reader is told that it may have missed some, and trusts nothing that it knew.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from redis.asyncio import Redis

from gameserver.storage.redis.scripts import Script

STREAM = "gs:revocations:log"
LENGTH = 10_000
AT_A_TIME = 1000
OVERLAP_MS = 60_000
"""How far before the newest entry one begins to read after a gap: longer than any revocation takes."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A session that has ended; `name` is the hash of its token, in hexadecimal."""

    player_id: int
    name: str


@dataclass(frozen=True, slots=True)
class Heard:
    """What has ended since the last read; `gap`: and perhaps more; `more`: there is more to be read now."""

    ended: Sequence[Ended]
    gap: bool
    more: bool


class ReadCall(NamedTuple):
    stream: str
    last: str
    limit: int
    overlap_ms: int


class Revocations:
    """One per node. Every call raises RedisError when Redis is away."""

    def __init__(self, redis: Redis, stream: Redis) -> None:
        """`stream` is a client for reading alone, which mustn't wait behind anything else."""
        self._redis = redis
        self._read = Script(stream, __package__, "revocations_read", ReadCall)
        self._last = ""

    async def announce(self, player_id: int, names: Sequence[str]) -> None:
        """Tells all nodes that these sessions of a player have ended."""
        if names:
            told = {"ended": f"{player_id} {' '.join(names)}"}
            await self._redis.xadd(STREAM, told, maxlen=LENGTH, approximate=True)  # type: ignore[arg-type]

    async def read(self) -> Heard:
        """What was announced since the last call; the first one finds a gap."""
        followed, last, told = await self._read(
            ReadCall(stream=STREAM, last=self._last, limit=AT_A_TIME, overlap_ms=OVERLAP_MS)
        )
        self._last = last.decode()
        ended = [each for text in told for each in _ended(text.decode())]
        return Heard(ended, gap=not followed, more=not followed or len(told) == AT_A_TIME)


def _ended(text: str) -> Sequence[Ended]:
    owner, *names = text.split() or [""]
    return [Ended(int(owner), name) for name in names]
