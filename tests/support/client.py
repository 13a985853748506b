"""A small client of the wire for tests: requests, players, and sockets."""

import asyncio
import time
from collections.abc import AsyncIterable
from dataclasses import dataclass
from itertools import count
from typing import Any, Self

import orjson
from aiohttp import ClientSession, ClientTimeout, ClientWebSocketResponse

from gameserver.storage.ids import new_command_id
from tests.support.devices import device_of

ADMIN_KEY = "an-admin-key-that-nobody-guesses-1"
_numbers = count(1)


def command_id(seconds_ago: float = 0) -> str:
    """A fresh UUIDv7, or one of another time."""
    return new_command_id(int((time.time() - seconds_ago) * 1000))


@dataclass
class Answer:
    status: int
    headers: Any
    body: Any

    @property
    def code(self) -> str | None:
        return self.body.get("code") if isinstance(self.body, dict) else None


@dataclass
class Signed:
    """A player with its session."""

    id: str
    name: str
    device: str
    token: str


class Socket:
    """One WebSocket after hello; `ask` waits for the answer under its id."""

    def __init__(self, connection: ClientWebSocketResponse) -> None:
        self.connection = connection
        self._ids = count(1)

    async def ask(self, op: str, **fields: Any) -> dict[str, Any]:
        own = next(self._ids)
        await self.connection.send_json({"id": own, "op": op, **fields})
        while True:
            found: dict[str, Any] = await self.connection.receive_json(timeout=30)
            if found.get("id") == own:
                return found


class Api:
    def __init__(self, url: str) -> None:
        self.url = url
        self._sockets: list[ClientWebSocketResponse] = []

    async def __aenter__(self) -> Self:
        self._session = ClientSession(self.url, timeout=ClientTimeout(total=60))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()
        for connection in self._sockets:  # without its session it waits for nobody
            await asyncio.wait_for(connection.close(), 5)

    async def ask(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        body: Any = None,
        data: bytes | AsyncIterable[bytes] | None = None,
        key: str | None = None,
        **headers: str,
    ) -> Answer:
        """One request; `body` as JSON or `data` as it is, `key` is a command id. Header names have underscores here."""
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        if key is not None:
            told["Idempotency-Key"] = key
        if token is not None:
            told["Authorization"] = f"Bearer {token}"
        sent = orjson.dumps(body) if body is not None else data
        if sent is not None:
            told.setdefault("Content-Type", "application/json")
        async with self._session.request(method, path, data=sent, headers=told) as response:
            raw = await response.read()
            is_json = raw and response.content_type.endswith(("/json", "+json"))
            return Answer(response.status, response.headers, orjson.loads(raw) if is_json else raw)

    async def sign_up(self, class_name: str = "warrior", name: str | None = None, **fields: Any) -> Signed:
        number = next(_numbers)
        asked = {
            "name": name or f"Player {number}",
            "class": class_name,
            "device": device_of(f"device-{number:06}"),
            **fields,
        }
        answer = await self.ask("POST", "/v1/players", body=asked)
        assert answer.status == 201, answer.body
        body = answer.body
        return Signed(body["player"]["id"], body["player"]["name"], asked["device"], body["session"]["token"])

    async def act(self, who: Signed, action: str = "hunt", key: str | None = None, **args: Any) -> Answer:
        if action == "hunt":
            args.setdefault("foe", "slime")
        asked = {"action": action, "args": args}
        return await self.ask("POST", "/v1/players/me/actions", token=who.token, body=asked, key=key)

    async def admin(self, path: str, **query: Any) -> Answer:
        asked = "&".join(f"{name}={value}" for name, value in query.items())
        return await self.ask("GET", f"/admin/v1/{path}?{asked}", token=ADMIN_KEY)

    async def raw_socket(self, **headers: str) -> ClientWebSocketResponse:
        connection = await self._session.ws_connect(
            "/v1/socket", protocols=["gameserver.v1"], headers=headers, max_msg_size=0
        )
        self._sockets.append(connection)  # one that is collected before it is closed warns
        return connection

    async def socket(self, token: str) -> Socket:
        own = Socket(await self.raw_socket())
        reply = await own.ask("hello", token=token)
        assert "ok" in reply, reply
        return own
