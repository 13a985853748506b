"""Measurements of one running stack: its generator, and the processor time around each window."""

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

import orjson

from tests.bench import raw
from tests.bench.doors import DOORS
from tests.bench.line import GENERATOR, Line
from tests.bench.processor import seconds_of
from tests.bench.stack import Stack

WARM_UP_SECONDS = 0.7
LONGEST_LINE = 1 << 24


class Session:
    """One generator for a stack that runs; `players` is how many were loaded before."""

    def __init__(self, stack: Stack, players: int) -> None:
        self._stack, self._players = stack, players
        self._limits: dict[str, float] = {}

    async def __aenter__(self) -> Self:
        self._generator = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.bench.generator", *self._stack.urls,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=LONGEST_LINE,
        )  # fmt: skip
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._generator.returncode is None:
            self._generator.kill()
        await self._generator.wait()

    async def measure(self, doors: Sequence[str], connections: Sequence[int], seconds: float) -> list[Line]:
        """The doors in this order, and each raw limit just before the first door that is held against it."""
        lines: list[Line] = []
        for name in doors:
            limit = DOORS[name].raw
            if limit in raw.LIMITS and limit not in self._limits:
                lines.append(await self._limit(limit, seconds))
            for count in connections:
                lines.append(self._beside_limit(await self._line(name, count, seconds)))
        return lines

    async def _limit(self, name: str, seconds: float) -> Line:
        """This process runs the loop, and counts as the generator."""
        processes = self._stack.pids() | {GENERATOR: [os.getpid()]}
        before = seconds_of(processes)
        done = await raw.LIMITS[name](self._stack.settings, seconds)
        after = seconds_of(processes)
        self._limits[name] = done / seconds
        spent = {name: after[name] - before[name] for name in processes}
        return self._made(name, 0, (done, done / seconds, 0.0, 0.0), spent, seconds)

    def _beside_limit(self, line: Line) -> Line:
        limit = self._limits.get(DOORS[line.door].raw)
        return replace(line, of_raw=round(line.per_second / limit, 3)) if limit else line

    async def _line(self, door: str, connections: int, seconds: float) -> Line:
        order = {"door": door, "urls": self._stack.urls, "connections": connections, "seconds": seconds}
        spent, found = await self._order(order | {"warm_up": WARM_UP_SECONDS})
        figures = (found["count"], found["per_second"], found["p50_ms"], found["p99_ms"])
        line = self._made(door, connections, figures, spent, seconds)
        return replace(line, refused=found["refused"], errors=found["errors"], raw=DOORS[door].raw)

    def _made(
        self,
        door: str,
        connections: int,
        figures: tuple[int, float, float, float],
        spent: Mapping[str, float],
        seconds: float,
    ) -> Line:
        """`figures`: answers, answers per second, p50 and p99 in ms; `spent`: seconds of processor time."""
        answers, rate, p50, p99 = figures
        costs = {name: round(cpu / max(1, answers) * 1e6, 1) for name, cpu in spent.items()}
        share = round(spent[GENERATOR] / seconds, 3)
        return Line(door, "direct", len(self._stack.nodes), self._players, connections, rate, p50, p99, costs, share)

    async def _order(self, order: Mapping[str, Any]) -> tuple[dict[str, float], dict[str, Any]]:
        """The seconds of processor time within the window by kind of process, and the generator's figures."""
        assert self._generator.stdin is not None
        self._generator.stdin.write(orjson.dumps(order, option=orjson.OPT_APPEND_NEWLINE))
        processes = self._stack.pids() | {GENERATOR: [self._generator.pid]}
        await self._say("began")
        before = seconds_of(processes)
        await self._say("ended")
        after = seconds_of(processes)
        return {name: after[name] - before[name] for name in processes}, await self._read()

    async def _say(self, event: str) -> None:
        heard = (await self._read())["event"]
        assert heard == event, heard

    async def _read(self) -> dict[str, Any]:
        assert self._generator.stdout is not None
        line = await self._generator.stdout.readline()
        if not line:
            raise SystemExit("the generator ended")
        heard: dict[str, Any] = orjson.loads(line)
        return heard
