"""Every kind of mischief ends in time and counts how its sockets ended, whatever the server does."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import WSMsgType, web

from bots.mischief import kinds
from bots.mischief.kinds import KINDS
from bots.mischief.misbehave import HonestPace, Incident
from bots.mischief.offender import STILL_OPEN, Scene, ending
from bots.wire.connecting import Endpoint
from bots.wire.requests import SUBPROTOCOL

Serve = Callable[[web.Request], Awaitable[web.StreamResponse]]
GREETING = {"id": 0, "ok": {"stream": "s", "seq": 3, "resumed": False}}


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "FRAMES", 50)
    monkeypatch.setattr(kinds, "SOCKETS", 5)
    monkeypatch.setattr(kinds, "SLOW_SOCKETS", 5)


async def refuses(_: web.Request) -> web.StreamResponse:
    raise web.HTTPServiceUnavailable


async def drops(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def closes(request: web.Request) -> web.StreamResponse:
    ws = await opened(request)
    await ws.close(code=4429)
    return ws


async def babbles(request: web.Request) -> web.StreamResponse:
    ws = await opened(request)
    for text in ("[]", "{", '{"push": 7}', '{"id": 0, "ok": 3}', "null"):
        await ws.send_str(text)
    await ws.close(code=3999)
    return ws


async def closes_after_hello(request: web.Request) -> web.StreamResponse:
    ws = await opened(request)
    await ws.receive()
    await ws.send_json(GREETING)
    await ws.receive()
    await ws.close(code=4408)
    return ws


async def obeys(request: web.Request) -> web.StreamResponse:
    ws = await opened(request)
    async for message in ws:
        if message.type is WSMsgType.TEXT:
            await ws.send_json(GREETING)
    return ws


async def opened(request: web.Request) -> web.WebSocketResponse:
    ws = web.WebSocketResponse(protocols=(SUBPROTOCOL,), timeout=0.1)
    await ws.prepare(request)
    return ws


@asynccontextmanager
async def scene(serve: Serve, seconds: float) -> AsyncIterator[Scene]:
    app = web.Application()
    app.add_routes([web.get("/v1/socket", serve)])
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    try:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        endpoint = Endpoint.parse(f"http://127.0.0.1:{runner.addresses[0][1]}")
        yield Scene(endpoint, ("the offender's", "another's"), seconds)
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("serve", [refuses, drops, closes, babbles, closes_after_hello, obeys])
async def test_mischief_ends_in_time_and_is_counted(kind: str, serve: Serve) -> None:
    async with scene(serve, 0.3) as here:
        await asyncio.wait_for(KINDS[kind](here), 10)
        assert sum(here.ended.values()) >= 1


@pytest.mark.parametrize(
    ("serve", "kind", "ended"),
    [
        (refuses, "frames", {"handshake_503": 1}),
        (drops, "many", {"disconnected": 5}),
        (closes, "slow", {"4429 too_many_messages": 5}),
        (closes_after_hello, "frames", {"4408 too_slow": 1}),
        (obeys, "many", {STILL_OPEN: 5}),
    ],
)
async def test_ends_are_counted_by_their_codes(serve: Serve, kind: str, ended: dict[str, int]) -> None:
    async with scene(serve, 1.0) as here:
        await KINDS[kind](here)
        assert here.ended == ended


async def test_the_stream_of_another_player_is_resumed() -> None:
    async with scene(obeys, 1.0) as here:
        await kinds.resume(here)
        assert here.heard["another's: resumed false"] == 1


def test_an_end_without_a_code_keeps_its_reason() -> None:
    assert [ending(reason) for reason in ("disconnected", "closed_1013", "going_away")] == [
        "disconnected",
        "closed_1013",
        "1001 going_away",
    ]


@pytest.mark.parametrize(
    ("p99_ms", "rate", "alone", "harmless"),
    [
        pytest.param(250.0, 15.0, HonestPace(5.0, 16.0), True, id="as alone"),
        pytest.param(251.0, 15.0, HonestPace(5.0, 16.0), False, id="slower"),
        pytest.param(251.0, 15.0, HonestPace(60.0, 16.0), True, id="on a machine that is slow alone"),
        pytest.param(5.0, 7.9, HonestPace(5.0, 16.0), False, id="fewer actions"),
        pytest.param(9000.0, 0.1, None, True, id="nobody misbehaves"),
    ],
)
def test_a_player_that_is_kept_waiting_notices(
    p99_ms: float, rate: float, alone: HonestPace | None, *, harmless: bool
) -> None:
    incident = Incident("frames", {}, {}, 3, p99_ms, rate, {}, [], alone)
    assert incident.harmless is harmless
