"""The course of a load: sign up, connect, a warm-up that doesn't count, the measurement, the figures."""

import gc
from collections.abc import Sequence
from dataclasses import dataclass

from bots.load.closed_loop import HttpLoad, SocketLoad
from bots.load.measure import LoadResult, Measure
from bots.load.running import SocketUse, run_http, run_sockets
from bots.play.sign_ups import LoadPlayer, sign_up_players
from bots.wire.command_ids import CommandIds
from bots.wire.connecting import Endpoint

WARM_UP_SECONDS = 1.0
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
    places = [*zip(endpoints, players, strict=True)]
    return [await _measure(name, places, plan) for name in MODES[mode]]


async def _measure(name: str, places: Sequence[tuple[Endpoint, LoadPlayer]], plan: LoadPlan) -> LoadResult:
    measure, ids, reads = Measure(WARM_UP_SECONDS, plan.seconds), CommandIds(), name.startswith("read")
    if name.endswith("http"):
        loops = [
            (endpoint, HttpLoad(measure, ids, endpoint.authority, player.token, reads=reads))
            for endpoint, player in places
        ]
        await run_http(measure, loops)
    else:
        uses = [SocketUse(endpoint, player.token, SocketLoad(measure, ids, reads=reads)) for endpoint, player in places]
        await run_sockets(measure, uses, plan.in_flight)
    return measure.result(name)
