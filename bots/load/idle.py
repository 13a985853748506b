"""Many sockets that are only held open, to measure what an open socket costs the server."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bots.load.closed_loop import Greeting, hello
from bots.play.sign_ups import LoadPlayer, sign_up_players
from bots.waiting import call_for_all, cancel_and_wait
from bots.wire.connecting import Endpoint, allow_files, connect_socket
from bots.wire.rawsocket import SocketConnection

OPENED_AT_ONCE = 64
HELLO_SECONDS = 10.0
SPARE_FILES = 256


@dataclass(slots=True)
class IdleSockets:
    """How many sockets are up, and why the others ended or couldn't be opened."""

    wanted: int
    up: int = 0
    ended: Counter[str] = field(default_factory=Counter)
    leaving: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return the counts as JSON values."""
        return {"sockets": self.wanted, "up": self.up, "ended": dict(self.ended)}


async def idle(
    urls: tuple[str, ...], sockets: int, players: int, seconds: float, show: Callable[[IdleSockets], object]
) -> IdleSockets:
    """Open the sockets, shared among the players, and hold them; `show` is called every second.

    Raises UnreachableError, or OSError when the system allows too few open files.
    """
    allow_files(sockets + SPARE_FILES)
    state, connections = IdleSockets(sockets), list[SocketConnection]()
    shown = asyncio.create_task(_show(state, show))
    try:
        signed_up = await sign_up_players(urls, min(players, sockets), "idle")
        await _open_all(urls, signed_up, state, connections)
        if state.up:
            await asyncio.sleep(seconds)
        return IdleSockets(state.wanted, state.up, Counter(state.ended))
    finally:
        state.leaving = True
        for connection in connections:
            connection.close()
        await cancel_and_wait(shown)


async def _open_all(
    urls: tuple[str, ...], players: list[LoadPlayer], state: IdleSockets, connections: list[SocketConnection]
) -> None:
    endpoints = [Endpoint.parse(url) for url in urls]

    async def open_one(index: int) -> None:
        try:
            endpoint, player = endpoints[index % len(endpoints)], players[index % len(players)]
            connections.append(await _open(endpoint, player, state))
        except (OSError, TimeoutError) as error:
            state.ended[str(error) or type(error).__name__] += 1

    await call_for_all(open_one, range(state.wanted), at_once=OPENED_AT_ONCE)


async def _open(endpoint: Endpoint, player: LoadPlayer, state: IdleSockets) -> SocketConnection:
    """Open one socket and say hello; raises OSError or TimeoutError."""
    greeting = Greeting()
    connection = await connect_socket(endpoint, greeting.take, lambda reason: _ended(greeting, state, reason))
    connection.send(hello(player.token))
    try:
        async with asyncio.timeout(HELLO_SECONDS):
            await greeting.done
    except BaseException:
        connection.close()
        raise
    state.up += 1
    return connection


def _ended(greeting: Greeting, state: IdleSockets, reason: str) -> None:
    """Count the end of a socket that was up; `_open_all` counts those that never were."""
    was_up = greeting.done.done() and not greeting.done.cancelled() and greeting.done.exception() is None
    greeting.ended(reason)
    if was_up and not state.leaving:
        state.up -= 1
        state.ended[reason] += 1


async def _show(state: IdleSockets, show: Callable[[IdleSockets], object]) -> None:
    while True:
        await asyncio.sleep(1.0)
        show(state)
