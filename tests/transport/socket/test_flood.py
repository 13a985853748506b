"""A client that sends as fast as it can: its socket is closed, and the node, a process of its own, stays well."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from aiohttp import ClientWebSocketResponse

from gameserver.config.settings import Settings
from gameserver.stack.servers.node import NodeProcess
from tests.support.client import Api
from tests.support.nodes import node_process
from tests.support.servers import roomy
from tests.transport.doors import closing_of

FRAMES = 100_000
ROOM = 40 << 20


@pytest.fixture
async def node(settings: Settings) -> AsyncIterator[NodeProcess]:
    with tempfile.TemporaryDirectory(dir=roomy()) as folder:
        one = node_process(settings, Path(folder), "node-1")
        await one.start()
        yield one
        one.kill()


async def flood(connection: ClientWebSocketResponse) -> None:
    """Sends all frames as fast as possible, but lets the reading side see the close."""
    with suppress(ConnectionError):
        for number in range(FRAMES):
            await connection.send_json({"id": number, "op": "ping"})
            if number % 100 == 0:
                await asyncio.sleep(0)


async def test_of_100_000_frames_at_once_some_thousand_are_served_then_the_socket_is_closed(node: NodeProcess) -> None:
    async with Api(node.address) as api:
        who, other = await api.sign_up(), await api.sign_up()
        socket, neighbour = await api.socket(who.token), await api.socket(other.token)
        process = psutil.Process(node.process.pid)
        before = process.memory_info().rss
        sending = asyncio.create_task(flood(socket.connection))
        reading = asyncio.create_task(closing_of(socket.connection))
        most = before
        while not reading.done():
            assert "ok" in await neighbour.ask("read")
            most = max(most, process.memory_info().rss)
        frames, closed = await reading
        await sending
        served = [frame for frame in frames if "ok" in frame]
        assert closed == 4429
        assert [frame["error"]["code"] for frame in frames if "error" in frame] == ["too_many_messages"]
        assert 4000 <= len(served) < FRAMES / 2
        assert max(most, process.memory_info().rss) - before < ROOM
        assert (await api.ask("GET", "/ready")).status == 200
        assert "ok" in await (await api.socket(who.token)).ask("read"), "the player may reconnect"
