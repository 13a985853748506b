"""Clients that are gone before they are answered: nothing in the log is unhandled, and nobody else notices."""

import asyncio
import socket
import struct
from random import Random

import pytest

from tests.fuzz.fuzzed import FuzzedNode
from tests.support.client import Api
from tests.support.wait import wait_until

RESETS = 400
AT_ONCE = 40
NOTHING_LINGERS = struct.pack("ii", 1, 0)
"""Closing sends a reset."""
UPGRADE = (
    "GET /v1/socket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: gameserver.v1\r\n\r\n"
)
READ = "GET /v1/players/me HTTP/1.1\r\nHost: node\r\nAuthorization: Bearer {token}\r\n\r\n"
BOARD = "GET /v1/boards/exp HTTP/1.1\r\nHost: node\r\n\r\n"


@pytest.mark.parametrize("request_text", [UPGRADE, READ, BOARD], ids=["upgrade", "read", "board"])
async def test_whoever_resets_its_connection_leaves_nothing_in_the_log(fuzzed: FuzzedNode, request_text: str) -> None:
    host, port = fuzzed.url.removeprefix("http://").split(":")
    asked, random = request_text.format(token=fuzzed.player.token).encode(), Random(1)

    async def reset() -> None:
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(asked)
        await asyncio.sleep(random.choice([0, 0, 0.001, 0.003]))
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NOTHING_LINGERS)
        writer.transport.abort()

    for _ in range(RESETS // AT_ONCE):
        await asyncio.gather(*(reset() for _ in range(AT_ONCE)))
    async with Api(fuzzed.url) as api:

        async def all_gone() -> bool:
            lines = (await api.ask("GET", "/metrics")).body.decode().splitlines()
            return "gameserver_sockets 0.0" in lines

        await wait_until(all_gone, 20, "the node has noticed")
    await fuzzed.assert_well()
