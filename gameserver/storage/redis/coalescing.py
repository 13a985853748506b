"""Calls of one script that come at about the same time go to Redis as one pipeline.

Law: a call is sent once. One that Redis refuses fails by itself and took no effect; when the answers of a pipeline are
lost, all its calls fail, and each may have taken effect, as with a call of its own. Nothing is sent again.
"""

from typing import Any, Generic

from redis.exceptions import RedisError

from gameserver.coalescing import Bounds, Coalescer
from gameserver.storage.redis.scripts import CallT, Script

BOUNDS = Bounds(flights=2, together=100, waiting=10_000, seconds=5.0)
"""Redis answers all calls of a pipeline before any is read, so one has but a hundred."""


class CoalescedScript(Generic[CallT]):
    """As the script, for calls whose order among each other doesn't matter: two pipelines may be under way."""

    def __init__(self, script: Script[CallT], bounds: Bounds = BOUNDS) -> None:
        self._coalescer: Coalescer[CallT, Any] = Coalescer(script.each, bounds, RedisError)

    async def __call__(self, call: CallT) -> Any:
        """What the script returns. Raises RedisError; also when too many calls wait: then it wasn't sent."""
        return await self._coalescer.ask(call)
