"""Changes of HAProxy's rotation, each sent again until HAProxy has taken it.

It doesn't answer for a moment when it is just being restarted; it then starts with the roster as its configuration, so
sending a change twice is harmless.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from gameserver.config.ports import address as parse_address
from gameserver.stack.errors import StackError
from gameserver.stack.fleet.roster import FleetNode
from gameserver.stack.servers.haproxy_api import RuntimeApi, ServerStates, is_up, sessions

_SEND_SECONDS = 20
_UP_SECONDS = 30
_POLL_SECONDS = 0.1


class Rotation:
    """The servers of one HAProxy. All methods raise StackError, after their deadlines."""

    def __init__(self, api: RuntimeApi) -> None:
        self._api = api

    async def states(self) -> ServerStates:
        """Asked once: it fails when HAProxy doesn't answer."""
        return await self._api.states()

    async def let_in(self, node: FleetNode) -> None:
        """Send players to the node; returns when HAProxy's checks have found it up."""
        host, port = parse_address(node.address)
        await self._send(lambda: self._api.let_in(node.name, host, port))
        await self._until(lambda states: is_up(states, node.name), _UP_SECONDS, f"{node.name} isn't up in HAProxy")

    async def drain(self, node: FleetNode) -> None:
        """Send nothing new to the node."""
        await self._send(lambda: self._api.drain(node.name))

    async def shut(self, node: FleetNode) -> None:
        """Send nothing to the node, and close its sockets."""
        await self._send(lambda: self._api.shut(node.name))

    async def until_idle(self, node: FleetNode, seconds: float) -> None:
        """Wait until nothing is open on the node."""
        await self._until(lambda states: sessions(states, node.name) == 0, seconds, f"{node.name} isn't idle")

    async def _send(self, change: Callable[[], Awaitable[None]]) -> None:
        end = asyncio.get_running_loop().time() + _SEND_SECONDS
        while True:
            try:
                return await change()
            except StackError:
                if asyncio.get_running_loop().time() > end:
                    raise
            await asyncio.sleep(_POLL_SECONDS)

    async def _until(self, holds: Callable[[ServerStates], bool], seconds: float, otherwise: str) -> None:
        end = asyncio.get_running_loop().time() + seconds
        while True:
            with contextlib.suppress(StackError):
                if holds(await self._api.states()):
                    return
            if asyncio.get_running_loop().time() > end:
                raise StackError(f"After {seconds:g} s {otherwise}.")
            await asyncio.sleep(_POLL_SECONDS)
