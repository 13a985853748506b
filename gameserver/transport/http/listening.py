"""Listens on a port, and accepts connections at the pace of the loop's other work.

Law: a new client waits no longer to be accepted than the others to be answered. The loop accepts one connection of each
listening socket a turn, and under load a turn takes milliseconds: with one socket, kept connections would take the
whole node, and new ones waited for ten seconds and more. So the port's socket is listened on ACCEPTED times.
"""

import asyncio
import os
import socket
from typing import Any

from aiohttp import web

from gameserver.transport.callers.sources import Sources
from gameserver.transport.http.connections import Connection

ACCEPTED = 16
"""Connections accepted in a turn of the loop, at the most."""
BACKLOG = 4096
"""Connections that wait to be accepted; the kernel has those that don't fit try again, after 1, 3 and 7 s."""


class Site(web.TCPSite):
    """Listens on a port, with connections of this kind."""

    def __init__(self, *arguments: Any, sources: Sources | None, for_operators: bool, **options: Any) -> None:
        """`sources` counts the connections by address."""
        super().__init__(*arguments, backlog=BACKLOG, **options)
        self._sources, self._for_operators = sources, for_operators
        self._more: list[asyncio.AbstractServer] = []

    async def start(self) -> None:
        await web.BaseSite.start(self)
        loop = asyncio.get_running_loop()
        first = await loop.create_server(
            self._connection, self._host, self._port, backlog=self._backlog, reuse_port=self._reuse_port
        )
        self._server = first
        for listening in list(first.sockets):
            for _ in range(ACCEPTED - 1):
                same = socket.socket(fileno=os.dup(listening.fileno()))
                self._more.append(await loop.create_server(self._connection, sock=same, backlog=self._backlog))

    async def stop(self) -> None:
        for server in self._more:
            server.close()
        self._more.clear()
        await super().stop()

    def _connection(self) -> Connection:
        runner = self._runner
        if not isinstance(runner, web.AppRunner) or not isinstance(runner.server, web.Server):
            raise TypeError("the runner isn't set up")
        server = runner.server
        return Connection(
            server,
            runner.app,
            sources=self._sources,
            for_operators=self._for_operators,
            loop=asyncio.get_running_loop(),
            **server._kwargs,
        )
