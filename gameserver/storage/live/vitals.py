"""How each node is doing, as it tells Redis itself, and what it is told in turn: whether it is to drain.

Law: the figures are for people. They are as old as PERIOD_SECONDS, and a node that can't reach Redis tells nothing. An
order is for the process that runs: one that starts later takes new work.
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
PREFIX, ORDER = "gs:{presence}:vitals:", "gs:{presence}:order:"
ORDER_MS = 60_000
"""How long an order waits for a node that can't reach Redis."""
NOTHING = b""


class Vitals:
    """One per node; `address` names it among the nodes that are alive."""

    def __init__(self, redis: Redis, address: str) -> None:
        self._redis, self._address = redis, address

    async def tell_for_ever(self, figures: Callable[[], Mapping[str, Any]], obey: Callable[[bool], None]) -> None:
        """Tells this node's figures again and again; while Redis is away they are lost.

        Hears whether it is to drain, and gives that to `obey`; an order from before this process isn't for it.
        """
        heard: object = None
        while True:
            try:
                async with clients.in_time():
                    await self._redis.set(PREFIX + self._address, orjson.dumps(figures()), px=KEPT_MS)
                    order = await self._redis.get(ORDER + self._address)
                if order != heard and heard is not None and order is not None:
                    obey(bool(orjson.loads(order)["drain"]))
                heard = order or heard or NOTHING
            except LOST as error:
                log.debug("how this node is doing can't be told", error=described(error))
            except Exception:  # a page that lacks figures is no reason for a node to end
                log.exception("how this node is doing can't be counted")
            await asyncio.sleep(PERIOD_SECONDS)

    async def order(self, address: str, command_id: str, *, drain: bool) -> None:
        """Tells a node to drain, or to take new work again; it hears of it in about a second.

        Raises PresenceUnavailable.
        """
        order = orjson.dumps({"id": command_id, "drain": drain})
        with translated(PresenceUnavailable, AWAY):
            async with clients.in_time():
                await self._redis.set(ORDER + address, order, px=ORDER_MS)

    async def read(self, addresses: Sequence[str]) -> list[Mapping[str, Any]]:
        """Each node's figures, empty for one that hasn't told any. Raises PresenceUnavailable."""
        with translated(PresenceUnavailable, AWAY):
            answers = await clients.send_all(self._redis, [("GET", PREFIX + address) for address in addresses])
        return [orjson.loads(answer) if isinstance(answer, bytes) else {} for answer in answers]
