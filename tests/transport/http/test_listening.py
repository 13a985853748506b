"""A port's new connections are accepted many at a turn of the loop, and none any more once it is closed."""

import asyncio
import contextlib
import socket

import pytest
from aiohttp import web

from gameserver.stack.processes.ports import free_port
from gameserver.transport.http.listening import Site

NEW = 64


def connecting(port: int) -> socket.socket:
    """A connection that the kernel has made and nobody has accepted yet."""
    return socket.create_connection(("127.0.0.1", port))


async def test_new_connections_are_accepted_many_at_a_turn() -> None:
    runner = web.AppRunner(web.Application())
    await runner.setup()
    site = Site(runner, "127.0.0.1", free_port(), sources=None, for_operators=False)
    await site.start()
    clients, turns = [connecting(site.port) for _ in range(NEW)], 0
    try:
        async with asyncio.timeout(10):
            while runner.server is not None and len(runner.server.connections) < NEW:
                await asyncio.sleep(0)
                turns += 1
        assert turns < NEW / 2
        await site.stop()
        with pytest.raises(ConnectionRefusedError):
            await _until_refused(site.port)
    finally:
        for client in clients:
            client.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(runner.cleanup(), 5)


async def _until_refused(port: int) -> None:
    """The loop closes a listening socket at its next turns."""
    async with asyncio.timeout(5):
        while True:
            connecting(port).close()
            await asyncio.sleep(0.01)
