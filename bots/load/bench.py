"""The course of a load: sign up, connect, a warm-up that doesn't count, the measurement, the figures."""

import asyncio
import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bots.load.closed_loop import HttpLoad, SocketLoad, hello
from bots.load.connecting import Endpoint, connect_http, connect_socket
from bots.load.measure import LoadResult, Measure
from bots.load.rawhttp import HttpConnection
from bots.load.rawsocket import SocketConnection
from bots.play.sign_ups import LoadPlayer, sign_up_players
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
class LoadPlan:
    """How much load: `connections`, each socket with `in_flight` requests, for `seconds` after the warm-up."""

    connections: int
    in_flight: int
    seconds: float


async def bench(urls: tuple[str, ...], mode: str, plan: LoadPlan, prefix: str) -> list[LoadResult]:
    """Measure every mode that `mode` stands for. Raises UnreachableError, or ConnectionError."""
    players = await sign_up_players(urls, plan.connections, prefix)
    endpoints = [Endpoint.parse(urls[index % len(urls)]) for index in range(plan.connections)]
    gc.freeze()
    measure_one = {
        "socket": lambda: _sockets(players, endpoints, plan, reads=False),
        "http": lambda: _http(players, endpoints, plan, reads=False),
        "read-http": lambda: _http(players, endpoints, plan, reads=True),
        "read-socket": lambda: _sockets(players, endpoints, plan, reads=True),
    }
    return [(await measure_one[name]()).result(name) for name in MODES[mode]]


async def _sockets(
    players: Sequence[LoadPlayer], endpoints: Sequence[Endpoint], plan: LoadPlan, *, reads: bool
) -> Measure:
    """Open the sockets, say hello, send the first requests on each, and wait for the end."""
    measure, ids = Measure(WARM_UP_SECONDS, plan.seconds), CommandIds()
    loads = [SocketLoad(measure, ids, reads=reads) for _ in players]
    opened: list[SocketConnection] = []
    try:
        for endpoint, player, load in zip(endpoints, players, loads, strict=True):
            connection = await connect_socket(endpoint, load.on_text, load.on_end)
            opened.append(connection)
            connection.send(hello(player.token))
            await asyncio.wait_for(load.greeting.done, DRAIN_SECONDS)
        measure.start()
        for connection, load in zip(opened, loads, strict=True):
            connection.send(b"".join(load.request(time.monotonic()) for _ in range(plan.in_flight)))
        await _finish(measure, lambda: sum(load.in_flight() for load in loads))
    finally:
        for connection in opened:
            connection.close()
    return measure


async def _http(
    players: Sequence[LoadPlayer], endpoints: Sequence[Endpoint], plan: LoadPlan, *, reads: bool
) -> Measure:
    """Open the connections, send the first request on each, and wait for the end."""
    measure, ids = Measure(WARM_UP_SECONDS, plan.seconds), CommandIds()
    opened: list[HttpConnection] = []
    loads: list[HttpLoad] = []
    try:
        for endpoint, player in zip(endpoints, players, strict=True):
            loads.append(HttpLoad(measure, ids, endpoint.authority, player.token, reads=reads))
            opened.append(await connect_http(endpoint, loads[-1].on_answer, loads[-1].on_end))
        measure.start()
        for connection, load in zip(opened, loads, strict=True):
            connection.send(load.request(time.monotonic()))
        await _finish(measure, lambda: sum(load.in_flight() for load in loads))
    finally:
        for connection in opened:
            connection.close()
    return measure


async def _finish(measure: Measure, in_flight: Callable[[], int]) -> None:
    """Wait for the end of the window, then for the answers in flight; those that don't come count as errors."""
    await asyncio.sleep(measure.ends - time.monotonic())
    measure.end()
    deadline = time.monotonic() + DRAIN_SECONDS
    while in_flight() and time.monotonic() < deadline:  # noqa: ASYNC110 (an event would cost the hot path)
        await asyncio.sleep(0.01)
    if in_flight():
        measure.errors["unanswered"] += in_flight()
