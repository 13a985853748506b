"""A link asks under one key, through any door, until there is an answer; and says when a fate is open."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import orjson
import pytest
from aiohttp import web

from bots.count.tally import Tally
from bots.wire import client, wire
from bots.wire.door import Door
from bots.wire.link import Link
from bots.wire.network import Network

COMMAND = wire.act("command-1", "hunt", {"foe": "slime"})
PLAYER = {"id": "7", "class": "mage", "version": 1, "level": 1, "hp": 1, "max_hp": 1, "exp": 0}
DOORS = pytest.mark.parametrize("door", list(Door))


class Script:
    """A server that treats each command as its script says, then acknowledges; both doors follow one script."""

    def __init__(self, *steps: str) -> None:
        self.steps = [*steps]
        self.keys: list[str] = []
        self.log_ins = 0

    def next(self, key: str) -> str:
        self.keys.append(key)
        return self.steps.pop(0) if self.steps else "ok"

    async def act(self, request: web.Request) -> web.StreamResponse:
        step = self.next(request.headers["Idempotency-Key"])
        if step == "drop":
            assert request.transport is not None
            request.transport.abort()
        if step in ("ok", "drop"):
            return web.json_response({"player": PLAYER})
        status = {"player_is_down": 409, "not_authenticated": 401, "bad_input": 422}.get(step, 503)
        headers = {"Retry-After": "0.01"} if status == 503 else {}
        return web.json_response({"code": step, "detail": "no"}, status=status, headers=headers)

    async def log_in(self, _: web.Request) -> web.Response:
        self.log_ins += 1
        return web.json_response({"session": {"token": f"token-{self.log_ins}"}}, status=201)

    async def socket(self, request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse(protocols=(wire.SUBPROTOCOL,))
        await ws.prepare(request)
        async for message in ws:
            frame = orjson.loads(message.data)
            step = {"hello": "ok", "subscribe": "bad_input"}.get(frame["op"]) or self.next(frame["command_id"])
            if step == "drop":
                assert request.transport is not None
                request.transport.abort()
                break
            await ws.send_str(orjson.dumps({"id": frame["id"], **told(step)}).decode())
        return ws


def told(step: str) -> dict[str, Any]:
    if step == "ok":
        return {"ok": {"player": PLAYER}}
    return {"error": {"code": step, "detail": "no"}}


@asynccontextmanager
async def link_to(script: Script, patience: float = 5.0) -> AsyncIterator[tuple[Link, Tally]]:
    """A logged-in link to a server that follows the script."""
    app = web.Application()
    app.add_routes(
        [
            web.post("/v1/players/me/actions", script.act),
            web.post("/v1/sessions", script.log_in),
            web.get("/v1/socket", script.socket),
        ]
    )
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    try:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        async with client.open_session() as session:
            urls = (f"http://127.0.0.1:{runner.addresses[0][1]}",)
            tally = Tally()
            link = Link(Network(session, urls, 1.0, patience, spread_seconds=0.05), tally, Random(1), "device")
            link.token = "token-0"
            yield link, tally
            await link.close()
    finally:
        await runner.cleanup()


@DOORS
async def test_an_acknowledgement_is_final_and_certain(door: Door) -> None:
    async with link_to(Script()) as (link, tally):
        reply = await link.ask(COMMAND, door)
    assert reply.answer is not None
    assert (reply.answer.kind, reply.uncertain, tally.errors.total()) == (wire.Kind.OK, False, 0)


@DOORS
async def test_a_broken_connection_is_retried_under_the_same_key(door: Door) -> None:
    script = Script("drop", "drop")
    async with link_to(script) as (link, tally):
        reply = await link.ask(COMMAND, door)
    assert script.keys == ["command-1"] * 3
    assert reply.answer is not None
    assert (reply.answer.kind, reply.uncertain, tally.errors["disconnected"]) == (wire.Kind.OK, True, 2)


@DOORS
@pytest.mark.parametrize(
    ("code", "uncertain"), [("outcome_unknown", True), ("overloaded", False), ("database_unavailable", False)]
)
async def test_a_retryable_error_is_retried_and_tells_whether_the_fate_is_open(
    door: Door, code: str, *, uncertain: bool
) -> None:
    script = Script(code)
    async with link_to(script) as (link, tally):
        reply = await link.ask(COMMAND, door)
    assert (script.keys, reply.uncertain, tally.errors[code]) == (["command-1"] * 2, uncertain, 1)


@DOORS
@pytest.mark.parametrize(("code", "kind"), [("player_is_down", wire.Kind.REFUSED), ("bad_input", wire.Kind.FAILED)])
async def test_a_final_refusal_is_not_retried(door: Door, code: str, kind: wire.Kind) -> None:
    script = Script(code)
    async with link_to(script) as (link, _):
        reply = await link.ask(COMMAND, door)
    assert reply.answer is not None
    assert (reply.answer.kind, reply.answer.code, len(script.keys)) == (kind, code, 1)


@DOORS
async def test_a_lost_session_is_renewed_with_the_device(door: Door) -> None:
    script = Script("not_authenticated")
    async with link_to(script) as (link, _):
        reply = await link.ask(COMMAND, door)
    assert reply.answer is not None
    assert (reply.answer.kind, link.token, script.keys) == (wire.Kind.OK, "token-1", ["command-1"] * 2)


@DOORS
async def test_patience_ends_and_leaves_the_fate_open(door: Door) -> None:
    script = Script(*["drop"] * 1000)
    async with link_to(script, patience=0.4) as (link, _):
        reply = await link.ask(COMMAND, door)
    assert (reply.answer, reply.uncertain, reply.last_code) == (None, True, "disconnected")


async def test_a_socket_is_opened_once_and_again_after_its_loss() -> None:
    async with link_to(Script("ok", "ok", "drop")) as (link, tally):
        for _ in range(8):
            await link.ask(COMMAND, Door.SOCKET)
    assert (tally.happened["sockets"], tally.happened["reconnects"]) == (1, 1)


async def test_a_server_that_is_not_there_cannot_have_taken_the_command() -> None:
    async with client.open_session() as session:
        network = Network(session, ("http://127.0.0.1:1",), 1.0, 0.2)
        reply = await Link(network, Tally(), Random(1), "device").ask(COMMAND, Door.HTTP)
    assert (reply.answer, reply.uncertain, reply.last_code) == (None, False, "cannot_connect")
