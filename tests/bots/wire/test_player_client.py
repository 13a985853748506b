"""A client retries under one key, over any channel, until there is an answer, and says when a fate is open."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import orjson
import pytest
from aiohttp import web

from bots.count.tally import Tally
from bots.wire import http, requests
from bots.wire.answers import AnswerKind
from bots.wire.channel import Channel
from bots.wire.network import Network
from bots.wire.player_client import PlayerClient
from bots.wire.requests import SUBPROTOCOL

COMMAND = requests.act("command-1", "hunt", {"foe": "slime"})
PLAYER = {"id": "7", "class": "mage", "version": 1, "level": 1, "hp": 1, "max_hp": 1, "exp": 0}
CHANNELS = pytest.mark.parametrize("channel", list(Channel))


class ScriptedServer:
    """A server that handles each command as its script says, then acknowledges; both channels share the script."""

    def __init__(self, *steps: str) -> None:
        self.steps = [*steps]
        self.keys: list[str] = []
        self.log_ins = 0
        self.lets_in = True

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
        if not self.lets_in:
            return web.json_response({"code": "wrong_credentials", "detail": "no"}, status=401)
        return web.json_response({"session": {"token": f"token-{self.log_ins}"}}, status=201)

    async def socket(self, request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse(protocols=(SUBPROTOCOL,))
        await ws.prepare(request)
        async for message in ws:
            frame = orjson.loads(message.data)
            step = {"hello": "ok", "subscribe": "bad_input"}.get(frame["op"]) or self.next(frame["command_id"])
            if step == "drop":
                assert request.transport is not None
                request.transport.abort()
                break
            if step == "revoke":
                await ws.close(code=4409)
                break
            await ws.send_str(orjson.dumps({"id": frame["id"], **answer(step)}).decode())
        return ws


def answer(step: str) -> dict[str, Any]:
    if step == "ok":
        return {"ok": {"player": PLAYER}}
    return {"error": {"code": step, "detail": "no"}}


@asynccontextmanager
async def client_of(script: ScriptedServer, patience: float = 5.0) -> AsyncIterator[tuple[PlayerClient, Tally]]:
    """A logged-in client of a server that follows the script."""
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
        async with http.open_session() as session:
            urls = (f"http://127.0.0.1:{runner.addresses[0][1]}",)
            tally = Tally()
            client = PlayerClient(
                Network(session, urls, 1.0, patience, spread_seconds=0.05), tally, Random(1), "device"
            )
            client.token = "token-0"
            yield client, tally
            await client.close()
    finally:
        await runner.cleanup()


@CHANNELS
async def test_an_acknowledgement_is_final_and_certain(channel: Channel) -> None:
    async with client_of(ScriptedServer()) as (client, tally):
        reply = await client.send(COMMAND, channel)
    assert reply.answer is not None
    assert (reply.answer.kind, reply.uncertain, tally.errors.total()) == (AnswerKind.OK, False, 0)


@CHANNELS
async def test_a_broken_connection_is_retried_under_the_same_key(channel: Channel) -> None:
    script = ScriptedServer("drop", "drop")
    async with client_of(script) as (client, tally):
        reply = await client.send(COMMAND, channel)
    assert script.keys == ["command-1"] * 3
    assert reply.answer is not None
    assert (reply.answer.kind, reply.uncertain, tally.errors["disconnected"]) == (AnswerKind.OK, True, 2)


@CHANNELS
@pytest.mark.parametrize(
    ("code", "uncertain"), [("outcome_unknown", True), ("overloaded", False), ("database_unavailable", False)]
)
async def test_a_retryable_error_is_retried_and_says_whether_the_fate_is_open(
    channel: Channel, code: str, *, uncertain: bool
) -> None:
    script = ScriptedServer(code)
    async with client_of(script) as (client, tally):
        reply = await client.send(COMMAND, channel)
    assert (script.keys, reply.uncertain, tally.errors[code]) == (["command-1"] * 2, uncertain, 1)


@CHANNELS
@pytest.mark.parametrize(("code", "kind"), [("player_is_down", AnswerKind.REFUSED), ("bad_input", AnswerKind.FAILED)])
async def test_a_final_refusal_is_not_retried(channel: Channel, code: str, kind: AnswerKind) -> None:
    script = ScriptedServer(code)
    async with client_of(script) as (client, _):
        reply = await client.send(COMMAND, channel)
    assert reply.answer is not None
    assert (reply.answer.kind, reply.answer.code, len(script.keys)) == (kind, code, 1)


@CHANNELS
async def test_a_lost_session_is_renewed_with_the_device(channel: Channel) -> None:
    script = ScriptedServer("not_authenticated")
    async with client_of(script) as (client, _):
        reply = await client.send(COMMAND, channel)
    assert reply.answer is not None
    assert (reply.answer.kind, client.token, script.keys) == (AnswerKind.OK, "token-1", ["command-1"] * 2)


async def test_a_command_whose_session_ended_unanswered_leaves_its_fate_open_if_nobody_can_sign_in() -> None:
    script = ScriptedServer("revoke")
    script.lets_in = False
    async with client_of(script) as (client, _):
        reply = await client.send(COMMAND, Channel.SOCKET)
    assert reply.answer is not None
    assert (reply.answer.kind, reply.answer.code, reply.uncertain) == (AnswerKind.FAILED, "wrong_credentials", True)


@CHANNELS
async def test_the_time_limit_ends_the_retries_and_leaves_the_fate_open(channel: Channel) -> None:
    script = ScriptedServer(*["drop"] * 1000)
    async with client_of(script, patience=0.4) as (client, _):
        reply = await client.send(COMMAND, channel)
    assert (reply.answer, reply.uncertain, reply.last_code) == (None, True, "disconnected")


async def test_a_socket_is_opened_once_and_again_after_its_loss() -> None:
    async with client_of(ScriptedServer("ok", "ok", "drop")) as (client, tally):
        for _ in range(8):
            await client.send(COMMAND, Channel.SOCKET)
    assert (tally.happened["sockets"], tally.happened["reconnects"]) == (1, 1)


async def test_a_server_that_is_not_there_cannot_have_taken_the_command() -> None:
    async with http.open_session() as session:
        network = Network(session, ("http://127.0.0.1:1",), 1.0, 0.2)
        reply = await PlayerClient(network, Tally(), Random(1), "device").send(COMMAND, Channel.HTTP)
    assert (reply.answer, reply.uncertain, reply.last_code) == (None, False, "cannot_connect")
