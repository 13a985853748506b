"""A node that drains at an operator's order, and takes new work again at another one; its process goes on.

Law: as at the end of a process, readiness goes off first. Once load balancers have noticed, and send it nothing new,
its sockets are told to reconnect elsewhere. What reaches it nevertheless is answered. Once it takes new work again, it
closes none: neither those that were told and are still here nor new ones.
"""

import asyncio

import structlog
from aiohttp import web

from gameserver.transport.keys import READINESS
from gameserver.transport.socket.sockets import SOCKETS
from gameserver.waiting import cancel_and_wait

log = structlog.get_logger()

NOTICED_SECONDS = 4.0
"""After so long load balancers that look once a second, three times at the most, know that a node isn't ready."""


class Draining:
    """One per node; `run` sends the sockets away, until it is cancelled."""

    def __init__(self, app: web.Application, seconds: float, noticed: float) -> None:
        """`seconds` is what sockets have for leaving, `noticed` how long they stay before they are told."""
        self._app, self._seconds, self._noticed = app, seconds, noticed
        self._ordered = asyncio.Event()
        self._leaving: asyncio.Task[None] | None = None

    @property
    def is_on(self) -> bool:
        """Whether the node takes no new work."""
        return not self._app[READINESS].ready

    def obey(self, drain: bool) -> None:  # noqa: FBT001 (it is the whole order)
        """Begins to drain, or to take new work again; not while the process ends."""
        readiness = self._app[READINESS]
        if readiness.stopping or readiness.ready is not drain:
            return
        readiness.ready = not drain
        log.info("drains at an operator's order" if drain else "takes new work at an operator's order")
        (self._ordered.set if drain else self._ordered.clear)()
        if not drain and self._leaving is not None:
            self._leaving.cancel()

    async def run(self) -> None:
        while True:
            await self._ordered.wait()
            if not self._ordered.is_set():
                continue  # the node was told to take new work before this task ran
            self._ordered.clear()
            self._leaving = asyncio.create_task(self._leave())
            try:
                await asyncio.wait([self._leaving])
            finally:
                await cancel_and_wait([self._leaving])
            if not self._leaving.cancelled():
                self._leaving.result()

    async def _leave(self) -> None:
        await asyncio.sleep(self._noticed)
        await self._app[SOCKETS].go_away(self._seconds)
