"""A player that is sent away moves to the next socket; no request fails, is sent twice, or goes to the old socket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import orjson
import pytest
from aiohttp import web

from bots.count.tally import Tally
from bots.wire import http, requests
from bots.wire.channel import Channel
from bots.wire.connection import milliseconds
from bots.wire.network import Network
from bots.wire.player_client import PlayerClient, Reply
from bots.wire.requests import SUBPROTOCOL
from tests.support.wait import wait_until

PLAYER = {"id": "7", "class": "mage", "version": 1, "level": 1, "hp": 1, "max_hp": 1, "exp": 0}


class SocketServer:
    """A server of sockets that notes what happens on each, and answers actions only while `answers` is set."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.hellos: list[dict[str, Any]] = []
        self.sockets: list[web.WebSocketResponse] = []
        self.answers = asyncio.Event()
        self.answers.set()
        self.refuses = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if self.refuses:
            self.refuses -= 1
            raise web.HTTPServiceUnavailable
        ws = web.WebSocketResponse(protocols=(SUBPROTOCOL,))
        await ws.prepare(request)
        self.sockets.append(ws)
        number = len(self.sockets)
        async for message in ws:
            await self.take(ws, number, orjson.loads(message.data))
        self.events.append(f"closed {number}")
        return ws

    async def take(self, ws: web.WebSocketResponse, number: int, frame: dict[str, Any]) -> None:
        self.events.append(f"{frame['op']} {number}")
        if frame["op"] == "hello":
            self.hellos.append(frame)
            ok: dict[str, Any] = {"player": PLAYER, "stream": f"s{number}", "seq": 0, "resumed": "resume" in frame}
        else:
            await self.answers.wait()
            ok = {"player": PLAYER}
        await ws.send_json({"id": frame["id"], "ok": ok})

    async def send_away(self, milliseconds: int, seq: int = 1) -> None:
        data = {"reconnect_after_ms": milliseconds}
        await self.sockets[-1].send_json({"push": "going_away", "seq": seq, "data": data})


@asynccontextmanager
async def playing() -> AsyncIterator[tuple[SocketServer, PlayerClient, Tally]]:
    server, app = SocketServer(), web.Application()
    app.add_routes([web.get("/v1/socket", server.handle)])
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    try:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        async with http.open_session() as session:
            url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            tally = Tally()
            tally.start(asyncio.get_running_loop().time())
            client = PlayerClient(Network(session, (url,), 5.0, 5.0, spread_seconds=0.05), tally, Random(1), None)
            yield server, client, tally
            await client.close()
    finally:
        await runner.cleanup()


async def act(client: PlayerClient, number: int) -> Reply:
    return await client.send(requests.act(f"command-{number}", "rest", {}), Channel.SOCKET)


async def test_a_bot_goes_on_until_the_delay_has_passed_and_closes_the_old_socket_after_the_next_is_greeted() -> None:
    async with playing() as (server, client, tally):
        await act(client, 1)
        await server.send_away(50, seq=7)
        await wait_until(lambda: tally.happened["going_away"], what="the push has come")
        await act(client, 2)
        await wait_until(lambda: "closed 1" in server.events, what="the old socket is closed")
        await act(client, 3)
        assert server.events == [
            "hello 1", "subscribe 1", "act 1", "act 1", "hello 2", "subscribe 2", "closed 1", "act 2"
        ]  # fmt: skip
        assert server.hellos[1]["resume"] == {"stream": "s1", "seq": 7}
        assert tally.happened["going_away heeded"] == tally.happened["resumed"] == 1
        assert (tally.errors.total(), tally.hurt.total(), len(tally.interruptions)) == (0, 0, 0)


async def test_the_old_socket_stays_open_until_its_requests_are_answered() -> None:
    async with playing() as (server, client, _):
        await act(client, 1)
        server.answers.clear()
        under_way = asyncio.create_task(act(client, 2))
        await wait_until(lambda: server.events.count("act 1") == 2, what="the action is under way")
        await server.send_away(0)
        await wait_until(lambda: "hello 2" in server.events, what="the next socket is greeted")
        assert "closed 1" not in server.events
        server.answers.set()
        assert len((await under_way).failures) == 0
        await wait_until(lambda: "closed 1" in server.events, what="the old socket is closed")
        assert server.events.count("act 1") == 2


async def test_a_move_that_fails_at_first_is_tried_again_and_no_action_notices() -> None:
    async with playing() as (server, client, tally):
        await act(client, 1)
        server.refuses = 2
        await server.send_away(0)
        await wait_until(lambda: tally.happened["going_away"], what="the push has come")
        assert not (await act(client, 2)).failures
        await wait_until(lambda: tally.happened["going_away heeded"], what="the player has moved")
        assert tally.happened["while moving handshake_503"] == 2
        assert tally.happened["going_away heeded"] == 1


async def test_a_socket_that_is_closed_before_its_time_is_replaced_by_the_next_request() -> None:
    async with playing() as (server, client, tally):
        await act(client, 1)
        await server.send_away(20)
        await server.sockets[0].close(code=1001)
        reply = await act(client, 2)
        assert reply.answer is not None
        assert not reply.failures
        assert (tally.happened["going_away heeded"], tally.happened["closed before the move"]) == (0, 1)


async def test_a_lost_socket_counts_as_lost_and_its_end_is_measured() -> None:
    async with playing() as (server, client, tally):
        await act(client, 1)
        await server.sockets[0].close(code=1011)
        await wait_until(lambda: tally.happened["connections lost"], what="the loss is noticed")
        await act(client, 2)
        assert tally.interruptions["lost"].count == 1
        assert (tally.first.attempts(), tally.again.attempts()) == (1, 1)


@pytest.mark.parametrize(
    ("data", "delay"),
    [
        ({"reconnect_after_ms": 40}, 40),
        ({"reconnect_after_ms": -4}, 0),
        ({"reconnect_after_ms": 1e12}, 60_000),
        ({"reconnect_after_ms": "soon"}, 0),
        ({}, 0),
        (None, 0),
        ([], 0),
    ],
)
def test_a_senseless_delay_does_not_hold_a_bot_up(data: object, delay: float) -> None:
    assert milliseconds(data) == delay
