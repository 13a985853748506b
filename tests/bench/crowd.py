"""The players of the bench: signed up over the wire when the first door needs them, and prepared for it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import orjson

from bots.load.connecting import Endpoint, connect_http
from tests.bench import talk

AT_ONCE = 32
PATIENCE_SECONDS = 30
T = TypeVar("T")


@dataclass(slots=True)
class Somebody:
    """A player; `device` is what it signs in with."""

    id: str
    name: str
    device: str
    token: str


async def ask(
    url: str, method: str, path: str, status: int, *, token: str = "", body: dict[str, Any] | None = None
) -> Any:
    """One question over a connection of its own; SystemExit if the answer has another status."""
    endpoint = Endpoint.parse(url)
    answer: asyncio.Future[tuple[int, bytes]] = asyncio.get_running_loop().create_future()

    def ended(reason: str) -> None:
        if not answer.done():
            answer.set_result((0, reason.encode()))

    def take(found: int, text: bytes) -> None:
        answer.set_result((found, text))

    connection = await connect_http(endpoint, take, ended)
    key = talk.ids.next() if method == "POST" and path != "/v1/sessions" else ""
    connection.send(talk.request(method, path, endpoint.authority, token=token, body=body, key=key))
    found, text = await asyncio.wait_for(answer, PATIENCE_SECONDS)
    connection.close()
    if found != status:
        raise SystemExit(f"{method} {path} was answered with {found}: {text.decode(errors='replace')[:500]}")
    return orjson.loads(text) if text else None


async def for_all(work: Callable[[T], Awaitable[Any]], items: Iterable[T]) -> list[Any]:
    """The results of `work` for each of the items, some at a time, in their order."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(item: T) -> Any:
        async with gate:
            return await work(item)

    return await asyncio.gather(*(one(item) for item in items))


async def sign_up(urls: Sequence[str], count: int, class_name: str = "warrior", password: str = "") -> list[Somebody]:
    tag = talk.new_tag()

    async def one(number: int) -> Somebody:
        wanted = {"name": f"{tag}{number}", "class": class_name, "device": talk.new_device()}
        body = wanted | ({"password": password} if password else {})
        made = await ask(urls[number % len(urls)], "POST", "/v1/players", 201, body=body)
        player = made["player"]
        return Somebody(player["id"], player["name"], wanted["device"], made["session"]["token"])

    return await for_all(one, range(count))


async def on_board(url: str, player: Somebody, board: str) -> None:
    """Waits until the board shows the player."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        try:
            await ask(url, "GET", f"/v1/boards/{board}/ranks/{player.id}", 200)
        except SystemExit:
            await asyncio.sleep(0.1)
        else:
            return
    raise SystemExit(f"the board {board} doesn't show a new player after {PATIENCE_SECONDS} s")
