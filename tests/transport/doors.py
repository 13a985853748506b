"""What tests of both doors share: requests through either, the form of errors, and what must not change."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal

from aiohttp import ClientWebSocketResponse, WSMsgType

from gameserver.config.settings import Settings
from gameserver.stack.processes.ports import free_port
from tests.support.client import Answer, Api, Signed, Socket

STATUSES = {
    "bad_json": 400,
    "not_authenticated": 401,
    "wrong_credentials": 401,
    "session_revoked": 401,
    "forbidden": 403,
    "not_found": 404,
    "player_not_found": 404,
    "board_not_found": 404,
    "session_not_found": 404,
    "method_not_allowed": 405,
    "name_taken": 409,
    "device_taken": 409,
    "too_many_friends": 409,
    "too_many_blocks": 409,
    "full_hp": 409,
    "rate_limited": 429,
    "too_many_changes": 429,
    "device_not_found": 404,
    "last_credential": 409,
    "proof_needed": 403,
    "too_many_devices": 409,
    "too_large": 413,
    "bad_request": 400,
    "bad_consistency_token": 400,
    "unsupported_media_type": 415,
    "uri_too_long": 414,
    "headers_too_large": 431,
    "expectation_failed": 417,
    "wrong_socket_version": 426,
    "bad_input": 422,
    "unknown_action": 422,
    "unknown_class": 422,
    "unknown_foe": 422,
    "unknown_item": 422,
    "not_enough_items": 409,
    "command_mismatch": 422,
    "command_expired": 422,
}
"""The documented status of each code that these tests meet."""


def assert_problem(answer: Answer, code: str, what: object = "") -> None:
    """The documented form of an error: RFC 9457, a stable code, and an id that finds it in the log."""
    assert answer.code == code, (what, answer.body)
    assert answer.status == answer.body["status"] == STATUSES[code], (what, answer.body)
    assert answer.headers["Content-Type"] == "application/problem+json", what
    assert answer.body["request_id"] == answer.headers["X-Request-Id"] != "", what
    assert answer.body["title"], what
    assert answer.body["detail"].endswith("."), (what, answer.body)
    assert all(error["field"] and error["problem"] for error in answer.body.get("errors", ())), (what, answer.body)
    assert ("WWW-Authenticate" in answer.headers) == (answer.status == 401), what


def fields_of(error: Mapping[str, Any]) -> list[str]:
    """The fields that an error names."""
    return [fault["field"] for fault in error.get("errors", ())]


@dataclass
class Door:
    """One player at one of the two doors."""

    kind: Literal["http", "socket"]
    api: Api
    who: Signed
    _socket: Socket | None = None

    async def act(self, request: Any, key: Any = None) -> dict[str, Any]:
        """The answer to an action, or the error, whose form is checked here; `key` is the command id."""
        if self.kind == "socket":
            return await self.frame({"op": "act", **request} | ({} if key is None else {"command_id": key}))
        data = json.dumps(request).encode()
        answer = await self.api.ask("POST", "/v1/players/me/actions", token=self.who.token, data=data, key=key)
        if answer.status != 200:
            assert_problem(answer, answer.body["code"], request)
        return dict(answer.body)

    async def frame(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a frame, or its error, over a socket that stays open."""
        if self._socket is None:
            self._socket = await self.api.socket(self.who.token)
        answer = await self._socket.ask(**request)
        assert set(answer) in ({"id", "ok"}, {"id", "error"}), answer
        if "error" in answer:
            assert answer["error"]["detail"].endswith("."), answer
        return dict(answer.get("ok") or answer["error"])


@asynccontextmanager
async def unchanged(api: Api, who: Signed) -> AsyncIterator[None]:
    """Fails if the block changes the player or its ledger, or makes another player."""
    before = await _state(api, who)
    yield
    assert await _state(api, who) == before


async def _state(api: Api, who: Signed) -> tuple[Any, ...]:
    me = await api.ask("GET", "/v1/players/me", token=who.token)
    ledger = await api.ask("GET", "/v1/players/me/ledger", token=who.token)
    stats = await api.admin("stats")
    assert me.status == ledger.status == stats.status == 200
    return me.body, ledger.body, stats.body["players"]


async def closing_of(connection: ClientWebSocketResponse) -> tuple[list[dict[str, Any]], int | None]:
    """The frames until the close, without pushes of the player's state, and the code that the server closes with."""
    frames = []
    while (message := await connection.receive(timeout=10)).type is WSMsgType.TEXT:
        frames.append(json.loads(message.data))
    frames = [message for message in frames if message.get("push") != "player"]
    return frames, message.data if message.type is WSMsgType.CLOSE else connection.close_code


async def raw_answer(url: str, request: bytes) -> bytes:
    """All that the server sends after these bytes, which needn't be HTTP, until it closes the connection."""
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(request)
        return await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()
        await writer.wait_closed()


async def raw_status(url: str, request: bytes) -> int:
    """The status of the answer to these bytes, which needn't be HTTP."""
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(request)
        return int((await asyncio.wait_for(reader.readline(), 10)).split()[1])
    finally:
        writer.close()
        await writer.wait_closed()


def on_another_port(settings: Settings) -> Settings:
    """For a second node of the same deployment."""
    return settings.model_copy(update={"node": settings.node.model_copy(update={"port": free_port()})})
