"""The load of the bench, a process of its own: `python -m tests.bench.generator`.

The first line on stdin says where the nodes are and which players were loaded before. For each order, one more line, it
prints three lines: when the window of the measurement begins, when it ends, and the figures.
"""

import asyncio
import gc
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypedDict

import orjson
import uvloop

from bots.load.measure import Measure
from bots.load.running import HttpLoop, SocketUse, run_http, run_sockets
from bots.wire.connecting import Endpoint, allow_files
from tests.bench.doors import BARE, BARE_DOOR, DOORS
from tests.bench.stage import Spot, Stage
from tests.bench.talk import Loop
from tests.bench.worker import next_line, say

FILES = 4096
IN_FLIGHT = 8
"""Requests on each socket."""


class Order(TypedDict):
    """One measurement: `urls` are where its connections go, times are in seconds.

    `counted`: each connection comes from an address of its own, which limits count.
    """

    door: str
    urls: list[str]
    counted: bool
    connections: int
    warm_up: float
    seconds: float


async def carry_out(order: Order, stage: Stage) -> dict[str, Any]:
    """The figures, with an answer as a sample."""
    loop_for = await (BARE_DOOR if order["door"] == BARE else DOORS[order["door"]]).open(stage)
    measure = Measure(order["warm_up"], order["seconds"])
    endpoints = [Endpoint.parse(url) for url in order["urls"]]
    spots = []
    for number in range(order["connections"]):
        endpoint = endpoints[number % len(endpoints)]
        spots.append(Spot(number, replace(endpoint, source=source(number)) if order["counted"] else endpoint, measure))
    loops = [loop_for(spot) for spot in spots]
    gc.collect()
    gc.freeze()
    telling = asyncio.create_task(tell_window(measure))
    await run(measure, spots, loops)
    await telling
    samples = [loop.sample for loop in loops if isinstance(loop, Loop) and loop.sample]
    return measure.result(order["door"]).as_json() | {"sample": samples[0].decode() if samples else ""}


def source(number: int) -> str:
    """An address of the loopback network that is in no exempt network (stack.EXEMPT)."""
    return f"127.1.{number // 250}.{number % 250 + 1}"


async def run(measure: Measure, spots: Sequence[Spot], loops: Sequence[HttpLoop | SocketUse]) -> None:
    uses = [loop for loop in loops if isinstance(loop, SocketUse)]
    pairs = zip(spots, loops, strict=True)
    if uses:
        await run_sockets(measure, uses, IN_FLIGHT)
    else:
        await run_http(measure, [(spot.endpoint, loop) for spot, loop in pairs if not isinstance(loop, SocketUse)])


async def tell_window(measure: Measure) -> None:
    await measure.started.wait()
    for event, at in (("began", measure.begins), ("ended", measure.ends)):
        await asyncio.sleep(max(0, at - time.monotonic()))
        say({"event": event})


async def main() -> None:
    allow_files(FILES)
    stage = Stage(**orjson.loads(await next_line()))
    while line := await next_line():
        say(await carry_out(orjson.loads(line), stage))


if __name__ == "__main__":
    uvloop.run(main())
