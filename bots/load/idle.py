"""Many sockets that only stay: to measure what an open socket costs the server."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bots.load.connecting import Endpoint, allow_files, connect_socket
from bots.load.load import Greeting, hello
from bots.load.rawsocket import SocketConnection
from bots.play.enlist import Enlisted, enlist

OPENED_AT_ONCE = 64
HELLO_SECONDS = 10.0
SPARE_FILES = 256


@dataclass(slots=True)
class Idle:
    """How many sockets are up, and why others aren't."""

    wanted: int
    up: int = 0
    ended: Counter[str] = field(default_factory=Counter)
    leaving: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return the counts as JSON-able values."""
        return {"sockets": self.wanted, "up": self.up, "ended": dict(self.ended)}


async def idle(
    urls: tuple[str, ...], sockets: int, players: int, seconds: float, show: Callable[[Idle], object]
) -> Idle:
    """Open the sockets, shared among the players, and hold them; `show` is called every second.

    Raises UnreachableError, or OSError when the system allows too few open files.
    """
    allow_files(sockets + SPARE_FILES)
    state, connections = Idle(sockets), list[SocketConnection]()
    shown = asyncio.create_task(_show(state, show))
    try:
        enlisted = await enlist(urls, min(players, sockets), "idle")
        await _open_all(urls, enlisted, state, connections)
        if state.up:
            await asyncio.sleep(seconds)
        return Idle(state.wanted, state.up, Counter(state.ended))
    finally:
        state.leaving = True
        for connection in connections:
            connection.close()
        shown.cancel()
        await asyncio.gather(shown, return_exceptions=True)


async def _open_all(
    urls: tuple[str, ...], players: list[Enlisted], state: Idle, connections: list[SocketConnection]
) -> None:
    room = asyncio.Semaphore(OPENED_AT_ONCE)
    endpoints = [Endpoint.parse(url) for url in urls]

    async def open_one(index: int) -> None:
        async with room:
            try:
                endpoint, player = endpoints[index % len(endpoints)], players[index % len(players)]
                connections.append(await _open(endpoint, player, state))
            except (OSError, TimeoutError) as error:
                state.ended[str(error) or type(error).__name__] += 1

    async with asyncio.TaskGroup() as group:
        for index in range(state.wanted):
            group.create_task(open_one(index))


async def _open(endpoint: Endpoint, player: Enlisted, state: Idle) -> SocketConnection:
    """Open one socket and say hello; raises OSError or TimeoutError."""
    greeting = Greeting()
    connection = await connect_socket(endpoint, greeting.heard, lambda reason: _ended(greeting, state, reason))
    connection.send(hello(player.token))
    try:
        async with asyncio.timeout(HELLO_SECONDS):
            await greeting.done
    except BaseException:
        connection.close()
        raise
    state.up += 1
    return connection


def _ended(greeting: Greeting, state: Idle, reason: str) -> None:
    """Count the end of a socket that was up; one that never was is counted by whoever opens it."""
    was_up = greeting.done.done() and not greeting.done.cancelled() and greeting.done.exception() is None
    greeting.ended(reason)
    if was_up and not state.leaving:
        state.up -= 1
        state.ended[reason] += 1


async def _show(state: Idle, show: Callable[[Idle], object]) -> None:
    while True:
        await asyncio.sleep(1.0)
        show(state)
