"""The lean WebSocket client against a real aiohttp server, and its framing for every way to cut the bytes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import WSMsgType, web
from hypothesis import given
from hypothesis import strategies as st

from bots.wire.connecting import Endpoint, connect_socket
from bots.wire.rawsocket import PING, SocketConnection, frame
from bots.wire.requests import SUBPROTOCOL

Talk = Callable[[web.WebSocketResponse], Awaitable[object]]


@asynccontextmanager
async def serving(talk: Talk, subprotocol: str = SUBPROTOCOL, path: str = "/v1/socket") -> AsyncIterator[Endpoint]:
    """Serve sockets on a free port, each handled by `talk`."""

    async def handle(request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse(protocols=(subprotocol,), autoping=False, compress=False)
        await ws.prepare(request)
        await talk(ws)
        return ws

    app = web.Application()
    app.add_routes([web.get(path, handle)])
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    try:
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield Endpoint.parse(f"http://127.0.0.1:{runner.addresses[0][1]}")
    finally:
        await runner.cleanup()


async def echo(ws: web.WebSocketResponse) -> None:
    async for message in ws:
        await ws.send_str(message.data)


@pytest.mark.parametrize("length", [0, 1, 125, 126, 65535, 65536])
async def test_a_message_of_any_length_comes_back(length: int) -> None:
    heard: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    async with serving(echo) as endpoint:
        connection = await connect_socket(endpoint, heard.set_result, lambda reason: None)
        connection.send(frame(b"x" * length))
        assert await asyncio.wait_for(heard, 5) == b"x" * length
        connection.close()


async def test_an_answer_triggers_the_next_request() -> None:
    heard: list[bytes] = []
    done = asyncio.Event()

    def on_text(message: bytes) -> bytes | None:
        heard.append(message)
        if len(heard) == 6:
            done.set()
        return frame(b"more") if len(heard) < 5 else None

    async with serving(echo) as endpoint:
        connection = await connect_socket(endpoint, on_text, lambda reason: None)
        connection.send(frame(b"one") + frame(b"two"))
        await asyncio.wait_for(done.wait(), 5)
        connection.close()
    assert heard == [b"one", b"two", b"more", b"more", b"more", b"more"]


async def test_a_ping_is_answered_with_its_payload() -> None:
    ponged: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def ping(ws: web.WebSocketResponse) -> None:
        await ws.ping(b"still there?")
        message = await ws.receive()
        assert message.type is WSMsgType.PONG
        ponged.set_result(bytes(message.data))

    async with serving(ping) as endpoint:
        await connect_socket(endpoint, lambda message: None, lambda reason: None)
        assert await asyncio.wait_for(ponged, 5) == b"still there?"


@pytest.mark.parametrize(("code", "reason"), [(4409, "session_revoked"), (1001, "going_away"), (4999, "closed_4999")])
async def test_a_close_is_reported_by_its_code(code: int, reason: str) -> None:
    ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    async with serving(lambda ws: ws.close(code=code)) as endpoint:
        await connect_socket(endpoint, lambda message: None, ended.set_result)
        assert await asyncio.wait_for(ended, 5) == reason


async def test_another_subprotocol_is_refused() -> None:
    async with serving(echo, "chess.v1") as endpoint:
        with pytest.raises(ConnectionError, match="handshake_subprotocol"):
            await connect_socket(endpoint, lambda message: None, lambda reason: None)


async def test_a_refused_handshake_is_reported_by_its_status() -> None:
    async with serving(echo, path="/elsewhere") as endpoint:
        with pytest.raises(ConnectionError, match="handshake_404"):
            await connect_socket(endpoint, lambda message: None, lambda reason: None)


def server_frame(payload: bytes, first: int = 0x81) -> bytes:
    """Make a frame as a server sends it: unmasked."""
    if len(payload) < 126:
        return bytes((first, len(payload))) + payload
    return bytes((first, 126)) + len(payload).to_bytes(2, "big") + payload


STREAM = (
    server_frame(b"short")
    + server_frame(b"long" * 50)
    + server_frame(b"in ", 0x01)
    + server_frame(b"?", 0x80 | PING)
    + server_frame(b"three ", 0x00)
    + server_frame(b"parts", 0x80)
    + server_frame(b"")
)


@given(st.sets(st.integers(min_value=1, max_value=len(STREAM) - 1)))
def test_segments_may_fall_anywhere(cuts: set[int]) -> None:
    async def feed() -> list[bytes]:
        heard: list[bytes] = []
        connection = SocketConnection("x", heard.append, lambda reason: None)
        connection.opened.set_result(None)
        at = 0
        for cut in [*sorted(cuts), len(STREAM)]:
            connection.data_received(STREAM[at:cut])
            at = cut
        return heard

    assert asyncio.run(feed()) == [b"short", b"long" * 50, b"in three parts", b""]
