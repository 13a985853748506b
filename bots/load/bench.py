"""The course of a load: players, connections, a warm-up that doesn't count, the measure, the figures."""

import asyncio
import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bots.load.connecting import Endpoint, connect_http, connect_socket
from bots.load.load import HttpLoad, SocketLoad, hello
from bots.load.measure import Measure, Result
from bots.load.rawhttp import HttpConnection
from bots.load.rawsocket import SocketConnection
from bots.play.enlist import Enlisted, enlist
from bots.wire.command_ids import CommandIds

WARM_UP_SECONDS = 1.0
DRAIN_SECONDS = 5.0
MODES = {
    "socket": ("socket",),
    "http": ("http",),
    "read": ("read-http", "read-socket"),
    "all": ("socket", "http", "read-http", "read-socket"),
}


@dataclass(frozen=True, slots=True)
class Load:
    """How much: `connections`, each socket with `in_flight` requests, for `seconds` after the warm-up."""

    connections: int
    in_flight: int
    seconds: float


async def bench(urls: tuple[str, ...], mode: str, load: Load, prefix: str) -> list[Result]:
    """Measure every mode that `mode` stands for. Raises UnreachableError, or ConnectionError."""
    players = await enlist(urls, load.connections, prefix)
    endpoints = [Endpoint.parse(urls[index % len(urls)]) for index in range(load.connections)]
    gc.freeze()
    measure_one = {
        "socket": lambda: _sockets(players, endpoints, load, reads=False),
        "http": lambda: _https(players, endpoints, load, reads=False),
        "read-http": lambda: _https(players, endpoints, load, reads=True),
        "read-socket": lambda: _sockets(players, endpoints, load, reads=True),
    }
    return [(await measure_one[each]()).result(each) for each in MODES[mode]]


async def _sockets(players: Sequence[Enlisted], endpoints: Sequence[Endpoint], load: Load, *, reads: bool) -> Measure:
    """Open the sockets, greet, fill each with requests, and wait for the end."""
    measure, ids = Measure(WARM_UP_SECONDS, load.seconds), CommandIds()
    loads = [SocketLoad(measure, ids, reads=reads) for _ in players]
    opened: list[SocketConnection] = []
    try:
        for endpoint, player, each in zip(endpoints, players, loads, strict=True):
            connection = await connect_socket(endpoint, each.on_text, each.on_end)
            opened.append(connection)
            connection.send(hello(player.token))
            await asyncio.wait_for(each.greeting.done, DRAIN_SECONDS)
        measure.start()
        for connection, each in zip(opened, loads, strict=True):
            connection.send(b"".join(each.request(time.monotonic()) for _ in range(load.in_flight)))
        await _finish(measure, lambda: sum(each.in_flight() for each in loads))
    finally:
        for connection in opened:
            connection.close()
    return measure


async def _https(players: Sequence[Enlisted], endpoints: Sequence[Endpoint], load: Load, *, reads: bool) -> Measure:
    """Open the connections, send one request on each, and wait for the end."""
    measure, ids = Measure(WARM_UP_SECONDS, load.seconds), CommandIds()
    opened: list[HttpConnection] = []
    loads: list[HttpLoad] = []
    try:
        for endpoint, player in zip(endpoints, players, strict=True):
            loads.append(HttpLoad(measure, ids, endpoint.authority, player.token, reads=reads))
            opened.append(await connect_http(endpoint, loads[-1].on_answer, loads[-1].on_end))
        measure.start()
        for connection, each in zip(opened, loads, strict=True):
            connection.send(each.request(time.monotonic()))
        await _finish(measure, lambda: sum(each.in_flight() for each in loads))
    finally:
        for connection in opened:
            connection.close()
    return measure


async def _finish(measure: Measure, in_flight: Callable[[], int]) -> None:
    """Wait for the end of the measure, then for what is in flight; what isn't answered is an error."""
    await asyncio.sleep(measure.ends - time.monotonic())
    measure.end()
    deadline = time.monotonic() + DRAIN_SECONDS
    while in_flight() and time.monotonic() < deadline:  # noqa: ASYNC110 (an event would cost the hot path)
        await asyncio.sleep(0.01)
    if in_flight():
        measure.errors["unanswered"] += in_flight()
