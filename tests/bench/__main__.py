"""`make bench`: what one machine does at each door, and what an answer costs its processes (docs/benchmarks.md).

Everything runs in one go on fresh embedded servers with fsync and synchronous_commit on. Machines are noisy: what
holds still is the processor time per answer; of everything else trust the ratios of one run.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import uvloop
from rich.console import Console

from tests.bench.compare import growths
from tests.bench.doors import ON_REPLICAS
from tests.bench.idle import idle_cost, show_cost
from tests.bench.line import Line, show
from tests.bench.raw import fill, vacuum
from tests.bench.report import write
from tests.bench.session import MEASURED, Effort, session
from tests.bench.stack import running
from tests.support.haproxy import PROGRAM

CONFIG = Path(os.environ.get("CONFIG", "config/one.toml"))
console = Console(width=180)
LOADED_SECONDS = 120.0
"""How long it is waited, at the most, until what a load leaves to the servers is done: vacuums, files of Redis."""


@dataclass(frozen=True)
class Plan:
    """What is measured: each door with each number of connections, on a stack for each of the other numbers."""

    doors: Sequence[str]
    connections: Sequence[int]
    players: Sequence[int]
    nodes: Sequence[int]
    ledger: Sequence[int]
    seconds: float
    json: Path | None
    sockets: bool
    counted: bool


def numbers(text: str) -> list[int]:
    return [int(part) for part in text.replace("_", "").split(",")]


def door_names(text: str) -> list[str]:
    names = text.split(",")
    if unknown := [name for name in names if name not in MEASURED]:
        raise argparse.ArgumentTypeError(f"there is no door {', '.join(unknown)}; there are {', '.join(MEASURED)}")
    return names


def parse(words: Sequence[str]) -> Plan:
    parser = argparse.ArgumentParser("make bench BENCH=…", description=__doc__)
    usual = [name for name in MEASURED if name not in ON_REPLICAS]
    parser.add_argument("--doors", type=door_names, default=usual, help="a,b: only these")
    parser.add_argument("--connections", type=numbers, default=[64, 256])
    parser.add_argument("--players", type=numbers, default=[0], help="how many are loaded first, for each run")
    parser.add_argument("--nodes", type=numbers, default=[2], help="how many, for each run")
    parser.add_argument("--ledger", type=numbers, default=[0], help="how many rows it has first, for each run")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement, after a warm-up")
    parser.add_argument("--json", type=Path, help="the file that gets the figures")
    parser.add_argument("--sockets", action="store_true", help="only what 10,000 idle sockets cost a node")
    parser.add_argument("--counted", action="store_true", help="also from addresses that limits count")
    return Plan(**vars(parser.parse_args(words)))


async def run(plan: Plan, players: int, nodes: int, ledger: int) -> list[Line]:
    """Measures one stack; what was measured is shown also when a door fails."""
    effort = Effort(players, max(plan.connections), proxied=PROGRAM.exists(), ledger=ledger, counted=plan.counted)
    async with running(CONFIG, nodes, players, eager=True) as stack, session(stack, effort) as measured:
        if ledger:
            await fill(stack.settings, ledger)
        if ledger or players:
            await vacuum(stack.settings)
            await measured.settle(LOADED_SECONDS)
        try:
            for door in plan.doors:
                await measured.measure(door, plan.connections, plan.seconds)
        finally:
            console.print(f"{CONFIG}: {nodes} nodes, {players:,} players and {ledger:,} rows in the ledger before")
            show(console, measured.lines)
    return measured.lines


async def main(plan: Plan) -> None:
    if plan.sockets:
        async with running(CONFIG) as stack:
            show_cost(console, stack.nodes[0], await idle_cost(stack.nodes[0], stack.urls[0]))
        return
    stacks = product(plan.players, plan.nodes, plan.ledger)
    lines = [line for numbers in stacks for line in await run(plan, *numbers)]
    for table in growths(lines):
        console.print(table)
    if plan.json is not None:
        write(plan.json, CONFIG, plan.seconds, lines)


if __name__ == "__main__":
    uvloop.run(main(parse(sys.argv[1:])))
