"""`make bench-replication`: what replicas of a database cost and give, and what a dead primary loses.

On fresh stacks of config/replicated.toml, one after the other: actions and reads per second with no replica, with one
that is asynchronous or synchronous, and with two (reads of the primary, by an age, by a token, and those whose primary
proves that it leads); how old reads are that a replica may answer, at rest and while others act at full speed; and how
many acknowledged actions a replica doesn't have when its primary is killed and it is promoted. All of it shares the
machine's cores: trust the ratios of one run, and the processor time per answer.
"""

import argparse
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import uvloop
from rich.console import Console
from rich.table import Column, Table

from tests.bench import staleness
from tests.bench.doors import ON_REPLICAS
from tests.bench.line import Line, show
from tests.bench.losses import CUT_SECONDS, Loss, kill_the_primary
from tests.bench.session import Effort, session
from tests.bench.stack import Stack, embedded_replicas, running
from tests.bench.staleness import SHARES, Staleness

CONFIG = Path(os.environ.get("CONFIG", "config/replicated.toml"))
CONNECTIONS = 64
DOORS = ("act-http", "read-http", *ON_REPLICAS)
console = Console(width=180)


@dataclass(frozen=True, slots=True)
class Kind:
    """How many replicas the database has, and whether its commits wait for one."""

    title: str
    replicas: int
    synchronous: bool = False


KINDS = (
    Kind("no replica", 0),
    Kind("one, asynchronous", 1),
    Kind("one, synchronous", 1, synchronous=True),
    Kind("two, asynchronous", 2),
)
KILLS = ((KINDS[1], False), (KINDS[1], True), (KINDS[2], False), (KINDS[2], True))
"""And whether the replica is cut off before."""


@dataclass(slots=True)
class Results:
    """What was measured, by the titles of the kinds."""

    lines: dict[str, list[Line]] = field(default_factory=dict)
    staleness: dict[str, Staleness] = field(default_factory=dict)
    losses: dict[str, list[Loss]] = field(default_factory=dict)


@asynccontextmanager
async def stack_of(kind: Kind) -> AsyncIterator[Stack]:
    """A fresh stack whose database has these replicas."""
    before = dict(os.environ)
    os.environ["GAMESERVER_DATABASES__ONE__REPLICAS"] = embedded_replicas(kind.replicas)
    os.environ["GAMESERVER_DATABASES__ONE__SYNCHRONOUS"] = str(kind.synchronous).lower()
    try:
        async with running(CONFIG, eager=True) as stack:
            yield stack
    finally:
        os.environ.clear()
        os.environ.update(before)


async def main(arguments: argparse.Namespace) -> None:
    results = Results()
    try:
        for kind in KINDS:
            await costs(kind, arguments.seconds, results)
        for kind, cut in KILLS:
            title = f"{kind.title}, cut off for {CUT_SECONDS:g} s" if cut else kind.title
            for _ in range(arguments.kills):
                async with stack_of(kind) as stack:
                    results.losses.setdefault(title, []).append(await kill_the_primary(stack, cut=cut))
    finally:
        show_staleness(results.staleness)
        show_losses(results.losses)
        if arguments.json is not None:
            arguments.json.write_bytes(orjson.dumps(as_json(results), option=orjson.OPT_INDENT_2))


async def costs(kind: Kind, seconds: float, results: Results) -> None:
    """The doors of one stack, and the ages of what its replica shows."""
    async with (
        stack_of(kind) as stack,
        session(stack, Effort(loaded=0, crowd=CONNECTIONS, proxied=False)) as measured,
    ):
        for door in DOORS:
            await measured.measure(door, [CONNECTIONS], seconds)
        results.lines[kind.title] = measured.lines
        console.print(f"{kind.title}: {len(stack.nodes)} nodes")
        show(console, measured.lines)
        if kind.replicas == 1:
            work = partial(staleness.measure, stack.urls, seconds)
            results.staleness[f"{kind.title}, at rest"] = await work()
            loaded = await measured.beside("act-http", CONNECTIONS, seconds, work)
            results.staleness[f"{kind.title}, beside acts"] = loaded


def show_staleness(found: Mapping[str, Staleness]) -> None:
    """By what its player knew: the reads that showed all of it, and the ages of the others."""
    heads = ("reads", "by replica", "fresh", *(f"p{share} ms" if share < 100 else "oldest ms" for share in SHARES))
    table = Table("reads that a replica may answer", *(Column(head, justify="right") for head in heads))
    table.add_column("by token: older than that", justify="right")
    for title, one in found.items():
        ages = (f"{one.at(share):.1f}" for share in SHARES)
        table.add_row(
            title,
            f"{len(one.ages):,}",
            f"{one.by_replica:.0%}",
            f"{one.fresh:.1%}",
            *ages,
            f"{one.wrong} of {one.by_token:,}",
        )
    console.print(table)


def show_losses(found: Mapping[str, Sequence[Loss]]) -> None:
    heads = ("kills", "acknowledged", "lost", "players hit", "most at once")
    table = Table("the primary is killed, its replica promoted", *(Column(head, justify="right") for head in heads))
    for title, losses in found.items():
        sums = (sum(loss.acknowledged for loss in losses), sum(loss.lost for loss in losses))
        hit, most = sum(loss.players for loss in losses), max(loss.lost for loss in losses)
        table.add_row(title, str(len(losses)), *(f"{number:,}" for number in (*sums, hit, most)))
    console.print(table)


def as_json(results: Results) -> dict[str, Any]:
    return {
        "lines": {title: [line.as_json() for line in lines] for title, lines in results.lines.items()},
        "staleness": {
            title: {"fresh": one.fresh, "by_replica": one.by_replica, "wrong": one.wrong, "by_token": one.by_token}
            | {f"p{share}_ms": one.at(share) for share in SHARES}
            for title, one in results.staleness.items()
        },
        "losses": {title: [asdict(loss) for loss in losses] for title, losses in results.losses.items()},
    }


def parse(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("make bench-replication BENCH=…", description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement, after a warm-up")
    parser.add_argument("--kills", type=int, default=3, help="of a primary, for each kind")
    parser.add_argument("--json", type=Path, help="the file that gets the figures")
    return parser.parse_args(words)


if __name__ == "__main__":
    uvloop.run(main(parse(sys.argv[1:])))
