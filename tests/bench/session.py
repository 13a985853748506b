"""Measurements of one running stack: its generator, what is measured beside it, and the processor time meanwhile."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial

from gameserver.stack.processes.ports import free_port
from tests.bench import raw
from tests.bench.doors import BARE, DOORS
from tests.bench.line import GENERATOR, Line
from tests.bench.processor import seconds_of
from tests.bench.stack import Stack
from tests.bench.worker import Worker, worker
from tests.support.haproxy import PROGRAM, Proxy, haproxy

WARM_UP_SECONDS = 0.7
LAGS = {"board-lag": ("board", "act-socket"), "mail-lag": ("mail", "mail")}
"""What is waited for, and the door at which there is load meanwhile."""
DOCTOR = "doctor"
MEASURED = (*DOORS, *LAGS, DOCTOR)
EXAMINATIONS = 3


@dataclass(frozen=True, slots=True)
class Way:
    """Where connections go, and which processes are between."""

    name: str
    urls: Sequence[str]
    pids: Mapping[str, Sequence[int]]


class Session:
    """One generator for a stack that runs; `players` is how many were loaded before."""

    def __init__(self, stack: Stack, players: int, generator: Worker, closing: AsyncExitStack) -> None:
        self._stack, self._players, self._generator, self._closing = stack, players, generator, closing
        self._direct = Way("direct", stack.urls, stack.pids())
        self._limits: dict[str, float] = {}
        self._bare: Sequence[Worker] = ()
        self._proxy: Proxy | None = None
        self._probe: Worker | None = None
        self.lines: list[Line] = []

    async def measure(self, name: str, connections: Sequence[int], seconds: float) -> None:
        """Adds the lines of a door, and of the raw limit that it is held against."""
        if name in LAGS:
            return await self._lag(name, max(connections), seconds)
        if name == DOCTOR:
            return await self._doctor()
        door = DOORS[name]
        if door.raw in raw.LIMITS and door.raw not in self._limits:
            await self._batches(door.raw, seconds)
        for index, count in enumerate(connections):
            line, sample = await self._load(name, self._direct, count, seconds)
            if door.raw == BARE and index == 0:
                await self._bare_handler(name, sample, count, seconds)
            self._add(line, self._limits.get(name if door.raw == BARE else door.raw))
            if door.proxied and index == 0 and PROGRAM.exists():
                proxied, _ = await self._load(name, await self._through_haproxy(), count, seconds)
                self._add(proxied, None)
        return None

    def _add(self, line: Line, limit: float | None) -> None:
        self.lines.append(replace(line, of_raw=round(line.per_second / limit, 3)) if limit else line)

    async def _load(self, door: str, way: Way, connections: int, seconds: float) -> tuple[Line, str]:
        """The figures of a door under load, and one of its answers."""
        self._order(door, way, connections, seconds)
        spent = await self._spent(way)
        found = await self._generator.hear()
        figures = (found["count"], found["per_second"], found["p50_ms"], found["p99_ms"])
        line = self._made(door, connections, figures, spent, seconds)
        return replace(line, way=way.name, refused=found["refused"], errors=found["errors"]), found["sample"]

    def _order(self, door: str, way: Way, connections: int, seconds: float) -> None:
        load = {"connections": connections, "warm_up": WARM_UP_SECONDS, "seconds": seconds}
        self._generator.tell({"door": door, "urls": [*way.urls], **load})

    async def _spent(self, way: Way, at_begin: Callable[[], None] = lambda: None) -> dict[str, float]:
        """The seconds of processor time within the window, by kind of process."""
        processes = {**way.pids, GENERATOR: [self._generator.pid]}
        await self._generator.hear()
        at_begin()
        before = seconds_of(processes)
        await self._generator.hear()
        after = seconds_of(processes)
        return {name: after[name] - before[name] for name in processes}

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
        share = round(spent.get(GENERATOR, 0) / seconds, 3)
        return Line(door, "direct", len(self._stack.nodes), self._players, connections, rate, p50, p99, costs, share)

    async def _batches(self, name: str, seconds: float) -> None:
        """A raw limit of the databases: this process runs its loops, and counts as the generator."""
        processes = {**self._direct.pids, GENERATOR: [os.getpid()]}
        before = seconds_of(processes)
        done = await raw.LIMITS[name](self._stack.settings, seconds)
        after = seconds_of(processes)
        self._limits[name] = done / seconds
        spent = {kind: after[kind] - before[kind] for kind in processes}
        self._add(self._made(name, 0, (done, done / seconds, 0.0, 0.0), spent, seconds), None)

    async def _bare_handler(self, door: str, sample: str, connections: int, seconds: float) -> None:
        """The raw limit of a read: as many bare handlers as there are nodes, which answer the same bytes."""
        if not self._bare:
            ports = [free_port() for _ in self._stack.nodes]
            self._bare = [await self._closing.enter_async_context(worker("bare", str(port))) for port in ports]
            self._bare_urls = [f"http://127.0.0.1:{port}" for port in ports]
        for handler in self._bare:
            handler.tell(sample)
            await handler.hear()
        way = Way("direct", self._bare_urls, {"node": [handler.pid for handler in self._bare]})
        line, _ = await self._load(BARE, way, connections, seconds / 2)
        self._limits[door] = line.per_second
        self._add(replace(line, door=f"{BARE} for {door}"), None)

    async def _through_haproxy(self) -> Way:
        if self._proxy is None:
            started = haproxy(self._stack.folder, self._stack.settings, self._stack.ports)
            self._proxy = await self._closing.enter_async_context(started)
        return Way("HAProxy", [self._proxy.url], {**self._direct.pids, "haproxy": [self._proxy.pid]})

    async def _lag(self, name: str, connections: int, seconds: float) -> None:
        """The latencies of this line are those lags; the rest of it is the load meanwhile."""
        if self._probe is None:
            self._probe = await self._closing.enter_async_context(worker("lag", *self._stack.urls))
            await self._probe.hear()
        kind, door = LAGS[name]
        self._order(door, self._direct, connections, seconds)
        order = {"kind": kind, "seconds": seconds}
        spent = await self._spent(self._direct, partial(self._probe.tell, order))
        found, lags = await self._generator.hear(), await self._probe.hear()
        figures = (found["count"], found["per_second"], lags["p50_ms"], lags["p99_ms"])
        line = self._made(name, connections, figures, spent, seconds)
        note = f"{lags['count']} lags, of which a read takes {lags['read_ms']:.1f} ms"
        self._add(replace(line, refused=found["refused"], errors=found["errors"], note=note), None)

    async def _doctor(self) -> None:
        """The whole command, some times; its latency is that of a run."""
        words = ("-m", "gameserver", "doctor", "--json", "--config", str(self._stack.config))
        times: list[float] = []
        before = os.times()
        for _ in range(EXAMINATIONS):
            began = time.perf_counter()
            process = await asyncio.create_subprocess_exec(sys.executable, *words, stdout=asyncio.subprocess.DEVNULL)
            if await process.wait() not in (0, 1):
                raise SystemExit("`gameserver doctor` failed")
            times.append(1000 * (time.perf_counter() - began))
        after = os.times()
        spent = after.children_user + after.children_system - before.children_user - before.children_system
        figures = (len(times), 1000 * len(times) / sum(times), sorted(times)[len(times) // 2], max(times))
        self._add(self._made(DOCTOR, 0, figures, {"command": spent}, sum(times) / 1000), None)


@asynccontextmanager
async def session(stack: Stack, players: int) -> AsyncIterator[Session]:
    async with AsyncExitStack() as closing:
        generator = await closing.enter_async_context(worker("generator"))
        generator.tell({"urls": stack.urls, "ids": await stack.some_players() if players else []})
        yield Session(stack, players, generator, closing)
