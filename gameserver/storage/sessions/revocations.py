"""Revocations of sessions, as every node reads them: a stream in Redis in which a gap shows.

Law: a revocation is its entry in the stream; every node that reads the entry does the rest. So a node that dies in the
middle of a revocation has either ended the session everywhere or not at all. A read begins with the entry that was
read last. Where that entry is missing (the stream was trimmed beyond it, lost, or replaced by an older one), the reader
learns that it may have missed some, and trusts nothing that it knew. An entry that can't be read is skipped, and counts
as such a gap: nobody knows what it ended.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from redis.asyncio import Redis

from gameserver.storage.redis.coalescing import CoalescedScript
from gameserver.storage.redis.scripts import Script
from gameserver.storage.redis.unreadable import tell

STREAM = "gs:revocations:log"
LENGTH = 10_000
AT_A_TIME = 1000
_ENTRY = re.compile(rb"(?:[0-9]{1,19}(?: [!-~]+)+)?")
OVERLAP_MS = 60_000
"""How far before the newest entry a reader begins after a gap: longer than any revocation takes."""


@dataclass(frozen=True, slots=True)
class EndedSession:
    """A session that has ended; `name` is the hash of its token, in hexadecimal."""

    player_id: int
    name: str


@dataclass(frozen=True, slots=True)
class RevocationsRead:
    """What has ended since the last read; with `gap`, perhaps others, too; with `more`, there is more to read now."""

    ended: Sequence[EndedSession]
    gap: bool
    more: bool


class RevocationAddCall(NamedTuple):
    stream: str
    length: int
    text: str


class RevocationsReadCall(NamedTuple):
    stream: str
    last: str
    limit: int
    overlap_ms: int


class Revocations:
    """One per node. Every call raises RedisError when Redis is away."""

    def __init__(self, redis: Redis, stream: Redis) -> None:
        """`stream` is a client for reading alone, which mustn't wait behind anything else."""
        self._add = CoalescedScript(Script(redis, __package__, "revocation_add", RevocationAddCall))
        self._read = Script(stream, __package__, "revocations_read", RevocationsReadCall)
        self._last = ""

    async def announce(self, player_id: int, names: Sequence[str]) -> None:
        """Tells all nodes that these sessions of a player have ended, also while Redis is full."""
        if names:
            await self._announce(f"{player_id} {' '.join(names)}")

    async def _announce(self, text: str) -> None:
        await self._add(RevocationAddCall(stream=STREAM, length=LENGTH, text=text))

    async def read(self) -> RevocationsRead:
        """What was announced since the last call; the first one finds a gap."""
        followed, last, texts = await self._read(
            RevocationsReadCall(stream=STREAM, last=self._last, limit=AT_A_TIME, overlap_ms=OVERLAP_MS)
        )
        self._last = last.decode()
        if not self._last:
            await self._announce("")  # the next read begins there, or before it with what others announce meanwhile
        known = [text for text in texts if _ENTRY.fullmatch(text)]
        is_short = len(known) < len(texts)
        if is_short:
            tell(STREAM)
        ended = [session for text in known for session in _ended(text.decode())]
        return RevocationsRead(ended, gap=not followed or is_short, more=not followed or len(texts) == AT_A_TIME)


def _ended(text: str) -> Sequence[EndedSession]:
    owner, *names = text.split() or [""]
    return [EndedSession(int(owner), name) for name in names]
