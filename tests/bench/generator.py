"""The load of the bench, a process of its own: `python -m tests.bench.generator URL…`.

For each order, a line of JSON on stdin, it prints three lines of JSON: when the window of the measurement begins, when
it ends, and the figures.
"""

import asyncio
import gc
import sys
import time
from typing import Any, TypedDict

import orjson
import uvloop

from bots.load.connecting import Endpoint, allow_files
from bots.load.measure import Measure
from bots.load.running import HttpLoop, run_http
from tests.bench.doors import DOORS, Spot, Stage
from tests.bench.talk import Loop

FILES = 4096


class Order(TypedDict):
    """One measurement: `urls` are where its connections go, times are in seconds."""

    door: str
    urls: list[str]
    connections: int
    warm_up: float
    seconds: float


def say(value: Any) -> None:
    sys.stdout.buffer.write(orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE))
    sys.stdout.buffer.flush()


async def carry_out(order: Order, stage: Stage) -> dict[str, Any]:
    """The figures, with an answer as a sample."""
    loop_for = await DOORS[order["door"]].open(stage)
    measure = Measure(order["warm_up"], order["seconds"])
    endpoints = [Endpoint.parse(url) for url in order["urls"]]
    spots = [Spot(number, endpoints[number % len(endpoints)], measure) for number in range(order["connections"])]
    loops: list[tuple[Endpoint, HttpLoop]] = [(spot.endpoint, loop_for(spot)) for spot in spots]
    gc.collect()
    gc.freeze()
    telling = asyncio.create_task(tell_window(measure))
    await run_http(measure, loops)
    await telling
    samples = [loop.sample for _, loop in loops if isinstance(loop, Loop) and loop.sample]
    return measure.result(order["door"]).as_json() | {"sample": samples[0].decode() if samples else ""}


async def tell_window(measure: Measure) -> None:
    await measure.started.wait()
    for event, at in (("began", measure.begins), ("ended", measure.ends)):
        await asyncio.sleep(max(0, at - time.monotonic()))
        say({"event": event})


async def main(urls: list[str]) -> None:
    allow_files(FILES)
    stage = Stage(urls)
    while line := await asyncio.to_thread(sys.stdin.buffer.readline):
        say(await carry_out(orjson.loads(line), stage))


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1:]))
