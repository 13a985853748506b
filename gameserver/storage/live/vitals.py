"""How each node is doing, as it tells Redis itself, and what it is told in turn: whether it is to drain.

Law: the figures are for people. They are as old as PERIOD_SECONDS, and a node that can't reach Redis tells nothing. An
order is for the process that runs: one that starts later takes new work. Which order a node has heard last is told with
its figures, so an order that it hasn't heard yet counts already when another node is to drain.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson
import structlog
from redis.asyncio import Redis

from gameserver.rules.errors import PresenceUnavailable
from gameserver.storage.live.presence import AWAY
from gameserver.storage.redis import clients
from gameserver.storage.redis.faults import LOST, described, translated
from gameserver.storage.redis.objects import fields_of
from gameserver.storage.redis.scripts import Script

log = structlog.get_logger()

PERIOD_SECONDS = 1.0
KEPT_MS = 6000
"""How long the figures of a node that has gone are kept."""
PREFIX, ORDER = "gs:{presence}:vitals:", "gs:{presence}:order:"
ORDER_MS = 60_000
"""How long an order waits for a node that can't reach Redis."""
HEARD = "heard"
"""Among the figures of a node: the command id of the last order that it knows of."""
NOTHING = b""


class NodeOrderCall(NamedTuple):
    order: str
    others: Sequence[str]
    said: bytes
    lasts_ms: int
    is_drain: int


class Vitals:
    """One per node; `address` names it among the nodes that are alive."""

    def __init__(self, redis: Redis, address: str) -> None:
        self._redis, self._address = redis, address
        self._order = Script(redis, __package__, "node_order", NodeOrderCall)

    async def tell_for_ever(self, figures: Callable[[], Mapping[str, Any]], obey: Callable[[bool], None]) -> None:
        """Tells this node's figures again and again; while Redis is away they are lost.

        Hears whether it is to drain, and gives that to `obey`; an order from before this process isn't for it.
        """
        heard: bytes | str | None = None
        while True:
            try:
                told = {**figures(), HEARD: orjson.loads(heard)["id"] if heard else None}
                await clients.send(self._redis, "SET", PREFIX + self._address, orjson.dumps(told), "PX", KEPT_MS)
                order = await clients.send(self._redis, "GET", ORDER + self._address)
                if order is not None and not _is_order(fields_of(order)):
                    order = None
                if order != heard and heard is not None and order is not None:
                    obey(bool(orjson.loads(order)["drain"]))
                heard = order or heard or NOTHING
            except LOST as error:
                log.debug("how this node is doing can't be told", error=described(error))
            except Exception:  # a page that lacks figures is no reason for a node to end
                log.exception("how this node is doing can't be counted")
            await asyncio.sleep(PERIOD_SECONDS)

    async def order(self, address: str, others: Sequence[str], command_id: str, *, drain: bool) -> bool:
        """Tells a node to drain, or to take new work again; it hears of it in about a second.

        `others` are the addresses of the other nodes. False, and nothing is told, if it is to drain and each of them
        drains, or has been told to. Raises PresenceUnavailable.
        """
        keys = [key for other in others for key in (ORDER + other, PREFIX + other)]
        said = orjson.dumps({"id": command_id, "drain": drain})
        with translated(PresenceUnavailable, AWAY):
            async with clients.in_time():
                return bool(await self._order(NodeOrderCall(ORDER + address, keys, said, ORDER_MS, int(drain))))

    async def read(self, addresses: Sequence[str]) -> list[Mapping[str, Any]]:
        """Each node's figures, empty for one that hasn't told any. Raises PresenceUnavailable."""
        with translated(PresenceUnavailable, AWAY):
            answers = await clients.send_all(self._redis, [("GET", PREFIX + address) for address in addresses])
        return [_figures(fields_of(answer)) for answer in answers]


def _figures(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """None where what is told of the rules isn't what a node tells."""
    if not isinstance(fields.get("rules", {}), dict):
        return {}
    return {name: value for name, value in fields.items() if name != HEARD}


def _is_order(fields: Mapping[str, Any]) -> bool:
    return isinstance(fields.get("id"), str) and isinstance(fields.get("drain"), bool)
