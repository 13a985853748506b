"""How each node is doing, as it tells Redis itself: figures that a page of operators draws.

Law: these are for people. They are as old as PERIOD_SECONDS, a node that can't reach Redis tells nothing, and nothing
is decided by them.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson
import structlog
from redis.asyncio import Redis

from gameserver.rules.errors import PresenceUnavailable
from gameserver.storage.live.presence import AWAY
from gameserver.storage.redis import clients
from gameserver.storage.redis.faults import LOST, described, translated

log = structlog.get_logger()

PERIOD_SECONDS = 1.0
KEPT_MS = 6000
"""How long the figures of a node that has gone are kept."""
PREFIX = "gs:{presence}:vitals:"


class Vitals:
    """One per node; `address` names it among the nodes that are alive."""

    def __init__(self, redis: Redis, address: str) -> None:
        self._redis, self._address = redis, address

    async def tell_for_ever(self, figures: Callable[[], Mapping[str, Any]]) -> None:
        """Tells this node's figures again and again; while Redis is away they are lost."""
        while True:
            try:
                async with clients.in_time():
                    await self._redis.set(PREFIX + self._address, orjson.dumps(figures()), px=KEPT_MS)
            except LOST as error:
                log.debug("how this node is doing can't be told", error=described(error))
            except Exception:  # a page that lacks figures is no reason for a node to end
                log.exception("how this node is doing can't be counted")
            await asyncio.sleep(PERIOD_SECONDS)

    async def read(self, addresses: Sequence[str]) -> list[Mapping[str, Any]]:
        """Each node's figures, empty for one that hasn't told any. Raises PresenceUnavailable."""
        with translated(PresenceUnavailable, AWAY):
            answers = await clients.send_all(self._redis, [("GET", PREFIX + address) for address in addresses])
        return [orjson.loads(answer) if isinstance(answer, bytes) else {} for answer in answers]
