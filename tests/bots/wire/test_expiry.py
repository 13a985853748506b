"""Requests over one socket end at their own deadlines, though they share a timer."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from bots.wire.answers import LostError
from bots.wire.requests import SUBPROTOCOL
from bots.wire.socket import GameSocket


async def silent(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse(protocols=(SUBPROTOCOL,))
    await socket.prepare(request)
    async for message in socket:
        if '"op":"ping"' in message.data:
            await socket.send_json({"id": message.json()["id"], "ok": {}})
    return socket


@asynccontextmanager
async def connected() -> AsyncIterator[GameSocket]:
    app = web.Application()
    app.add_routes([web.get("/v1/socket", silent)])
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    try:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        socket = await GameSocket.connect(url, lambda _socket, _frame: None, lambda _socket: None)
        yield socket
        await socket.close()
    finally:
        await runner.cleanup()


async def lost_after(socket: GameSocket, seconds: float) -> tuple[str, float]:
    began = time.monotonic()
    try:
        await socket.send("read", {}, seconds)
    except LostError as error:
        return error.answer.code, time.monotonic() - began
    return "answered", time.monotonic() - began


async def test_each_request_is_lost_at_its_own_deadline_in_whatever_order_they_were_sent() -> None:
    async with connected() as socket:
        waits = (0.3, 0.1, 0.2)
        for (code, took), seconds in zip(
            await asyncio.gather(*(lost_after(socket, seconds) for seconds in waits)), waits, strict=True
        ):
            assert code == "timeout"
            assert seconds - 0.01 <= took
        assert (await socket.send("ping", {}, 5.0)).ok
        assert (await lost_after(socket, 0.1))[0] == "timeout"


async def test_an_answered_request_leaves_nothing_to_be_lost() -> None:
    async with connected() as socket:
        assert (await socket.send("ping", {}, 0.1)).ok
        await asyncio.sleep(0.15)
        assert (await socket.send("ping", {}, 5.0)).ok
