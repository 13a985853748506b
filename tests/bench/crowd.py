"""The players of the bench: signed up over the wire when the first door needs them, and prepared for it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import orjson

from bots.wire.connecting import Endpoint, connect_http
from bots.wire.rawhttp import HttpConnection
from tests.bench import talk

AT_ONCE = 32
PATIENCE_SECONDS = 30
BUSY_PAUSE = 0.2
Answer = tuple[int, Any]
"""A status, and the body decoded."""
Order = Callable[[int, int], tuple[str, dict[str, Any]]]
"""The action, with its arguments, of a player's number at its turn."""


@dataclass(slots=True)
class Somebody:
    """A player; `device` is what it signs in with."""

    id: str
    name: str
    device: str
    token: str


class Asker:
    """One kept connection, with one question at a time; opened anew for the first question after it has ended.

    A node ends what was idle for as long as other doors take.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._connection: HttpConnection
        self._answer: asyncio.Future[Answer]
        self.is_open = False

    @classmethod
    async def open(cls, endpoint: Endpoint) -> Self:
        asker = cls(endpoint)
        await asker._open()
        return asker

    async def _open(self) -> None:
        self._connection = await connect_http(self._endpoint, self._take, self._end)
        self.is_open = True

    def close(self) -> None:
        self._connection.close()

    async def ask(
        self,
        method: str,
        path: str,
        *,
        token: str = "",
        body: dict[str, Any] | None = None,
        key: str = "",
        consistency: str = "",
    ) -> Answer:
        """Anything with a body but a sign-in gets a command id. Raises ConnectionError, TimeoutError."""
        if not self.is_open:
            await self._open()
        self._answer = asyncio.get_running_loop().create_future()
        key = key or (talk.ids.next() if body is not None and path != "/v1/sessions" else "")
        self._connection.send(
            talk.request(
                method, path, self._endpoint.authority, token=token, body=body, key=key, consistency=consistency
            )
        )
        return await asyncio.wait_for(self._answer, PATIENCE_SECONDS)

    async def get(self, method: str, path: str, status: int, **fields: Any) -> Any:
        """The body of an answer, however often it takes; SystemExit if it has another status."""
        end, key = time.monotonic() + PATIENCE_SECONDS, talk.ids.next() if "body" in fields else ""
        found, body = await self.ask(method, path, key=key, **fields)
        while found == 503 and time.monotonic() < end:
            await asyncio.sleep(BUSY_PAUSE)
            found, body = await self.ask(method, path, key=key, **fields)
        if found != status:
            raise SystemExit(f"{method} {path} was answered with {found}: {body}")
        return body

    def _take(self, status: int, body: bytes) -> None:
        if not self._answer.done():  # who asked may have left
            self._answer.set_result((status, orjson.loads(body) if body else None))

    def _end(self, reason: str) -> None:
        self.is_open = False
        if hasattr(self, "_answer") and not self._answer.done():
            self._answer.set_exception(ConnectionError(reason))


async def for_each(urls: Sequence[str], work: Callable[[Asker, int], Awaitable[Any]], count: int) -> list[Any]:
    """The results of `work` for the numbers below `count`, in their order: some at a time, each over a connection."""
    results: dict[int, Any] = {}
    numbers = iter(range(count))

    async def one(endpoint: Endpoint) -> None:
        asker = await Asker.open(endpoint)
        for number in numbers:
            results[number] = await work(asker, number)
        asker.close()

    await asyncio.gather(*(one(Endpoint.parse(urls[part % len(urls)])) for part in range(min(AT_ONCE, count))))
    return [results[number] for number in range(count)]


async def sign_up(urls: Sequence[str], count: int, class_name: str = "warrior", password: str = "") -> list[Somebody]:
    """New players, which the boards show."""
    tag = talk.new_tag()

    async def one(asker: Asker, number: int) -> Somebody:
        body = {"name": f"{tag}{number}", "class": class_name, "device": talk.new_device()}
        body |= {"password": password} if password else {}
        made = await asker.get("POST", "/v1/players", 201, body=body)
        player = made["player"]
        return Somebody(player["id"], player["name"], body["device"], made["session"]["token"])

    players = await for_each(urls, one, count)
    await for_each(urls[:1], lambda asker, _: shown(asker, players[-1]), 1)
    return players


async def shown(asker: Asker, player: Somebody) -> None:
    """Waits until the board of all shows the player."""
    end = time.monotonic() + PATIENCE_SECONDS
    while (await asker.ask("GET", f"/v1/boards/exp/ranks/{player.id}"))[0] != 200:
        if time.monotonic() > end:
            raise SystemExit(f"the board doesn't show a new player after {PATIENCE_SECONDS} s")
        await asyncio.sleep(0.05)


async def befriend(urls: Sequence[str], players: Sequence[Somebody], count: int) -> None:
    """Each player gets so many of the others as friends."""

    async def one(asker: Asker, number: int) -> None:
        for step in range(1, count + 1):
            other = players[(number + step) % len(players)]
            await asker.get("PUT", f"/v1/players/me/friends/{other.id}", 204, token=players[number].token)

    await for_each(urls, one, len(players))


async def play(urls: Sequence[str], players: Sequence[Somebody], count: int, order: Order) -> None:
    """Each player acts so many times; a rule may refuse it."""

    async def one(asker: Asker, number: int) -> None:
        for turn in range(count):
            action, args = order(number, turn)
            body = {"action": action, "args": args}
            status, answer = await asker.ask("POST", "/v1/players/me/actions", token=players[number].token, body=body)
            if status not in (200, 409):
                raise SystemExit(f"{action} was answered with {status}: {answer}")

    await for_each(urls, one, len(players))
