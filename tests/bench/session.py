"""Measurements of one running stack: its generator, what is measured beside it, and the processor time meanwhile."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple, TypeVar

from gameserver.stack.processes.ports import free_port
from tests.bench import raw
from tests.bench.doors import BARE, DOORS
from tests.bench.line import GENERATOR, Line, RawLimit
from tests.bench.processor import seconds_of
from tests.bench.stack import Stack
from tests.bench.worker import Worker, worker
from tests.support.haproxy import Proxy, haproxy

T = TypeVar("T")
LAGS = {"board-lag": ("board", "act-socket"), "mail-lag": ("mail", "mail")}
"""What is waited for, and the door at which there is load meanwhile."""
DOCTOR = "doctor"
MEASURED = (DOCTOR, *DOORS, *LAGS)
EXAMINATIONS = 3
SETTLE_SECONDS, STEP_SECONDS, RESTING = 15.0, 0.25, 0.2
"""How long it is waited, at the most, until the stack uses less than this share of one core."""


@dataclass(frozen=True, slots=True)
class Way:
    """Where connections go, and which processes are between; `counted` ones come from addresses that have limits."""

    name: str
    urls: Sequence[str]
    pids: Mapping[str, Sequence[int]]
    counted: bool = False


@dataclass(frozen=True, slots=True)
class Effort:
    """How many players were loaded before, and how many a crowd of the session's own has; whether HAProxy is tried.

    `warm_up`: the seconds of a load before its window; `ledger`: the ledgers' rows before; `counted`: whether each
    door is measured once more from addresses that have limits.
    """

    loaded: int
    crowd: int
    proxied: bool = True
    warm_up: float = 0.7
    ledger: int = 0
    counted: bool = False


class Figures(NamedTuple):
    """What a load measured; latencies in ms."""

    answers: int
    per_second: float
    p50_ms: float
    p99_ms: float


def per_answer(spent: Mapping[str, float], answers: int) -> dict[str, float]:
    """Microseconds, of seconds that were spent in all."""
    return {name: round(seconds / max(1, answers) * 1e6, 1) for name, seconds in spent.items()}


def total(spent: Mapping[str, float]) -> float:
    return sum(spent.values())


class Session:
    """One generator for a stack that runs."""

    def __init__(self, stack: Stack, effort: Effort, generator: Worker, closing: AsyncExitStack) -> None:
        self._stack, self._effort, self._generator, self._closing = stack, effort, generator, closing
        self._direct = Way("direct", stack.urls, stack.pids())
        self._counted = replace(self._direct, name="counted", counted=True)
        self._limits: dict[str, RawLimit] = {}
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
        limit = await self._batches(door.raw, seconds) if door.raw in raw.LIMITS else None
        for index, count in enumerate(dict.fromkeys(min(count, door.most) for count in connections)):
            line, sample = await self._load(name, self._direct, count, seconds)
            if door.raw == BARE and index == 0:
                limit = await self._bare_handler(sample, count, seconds / 2)
            self.lines.append(replace(line, raw=limit))
            if self._effort.counted:
                self.lines.append((await self._load(name, self._counted, count, seconds))[0])
            if door.proxied and index == 0 and self._effort.proxied:
                proxied, _ = await self._load(name, await self._through_haproxy(), count, seconds)
                self.lines.append(proxied)
        return None

    async def _load(self, door: str, way: Way, connections: int, seconds: float) -> tuple[Line, str]:
        """The figures of a door under load, and one of its answers."""
        await self.settle()
        self._order(door, way, connections, seconds)
        spent = await self._spent(way)
        found = await self._generator.hear()
        figures = Figures(found["count"], found["per_second"], found["p50_ms"], found["p99_ms"])
        line = self._made(door, connections, figures, spent, seconds)
        return replace(line, way=way.name, refused=found["refused"], errors=found["errors"]), found["sample"]

    def _order(self, door: str, way: Way, connections: int, seconds: float) -> None:
        load = {"connections": connections, "warm_up": self._effort.warm_up, "seconds": seconds}
        self._generator.tell({"door": door, "urls": [*way.urls], "counted": way.counted, **load})

    async def _spent(self, way: Way, at_begin: Callable[[], None] = lambda: None) -> dict[str, float]:
        """The seconds of processor time within the window, by kind of process."""
        processes = {**way.pids, GENERATOR: [self._generator.pid]}
        await self._generator.hear()
        at_begin()
        before = seconds_of(processes)
        await self._generator.hear()
        after = seconds_of(processes)
        return {name: after[name] - before[name] for name in processes}

    def _made(self, door: str, connections: int, figures: Figures, spent: Mapping[str, float], seconds: float) -> Line:
        """`spent`: seconds of processor time."""
        costs = per_answer(spent, figures.answers)
        share = round(spent.get(GENERATOR, 0) / seconds, 3)
        return Line(
            door, "direct", len(self._stack.nodes), self._effort.loaded, connections,
            figures.answers, figures.per_second, figures.p50_ms, figures.p99_ms, costs, share,
            ledger=self._effort.ledger,
        )  # fmt: skip

    async def beside(self, door: str, connections: int, seconds: float, work: Callable[[], Awaitable[T]]) -> T:
        """The result of `work`, which begins with the window of a load at a door."""
        await self.settle()
        self._order(door, self._direct, connections, seconds)
        await self._generator.hear()
        result = await work()
        for _ in ("ended", "figures"):
            await self._generator.hear()
        return result

    async def settle(self, seconds: float = SETTLE_SECONDS) -> None:
        """Waits until the stack rests: what a door leaves to do later, such as letters, doesn't count at the next."""
        end = time.monotonic() + seconds
        before = total(seconds_of(self._direct.pids))
        while time.monotonic() < end:
            await asyncio.sleep(STEP_SECONDS)
            after = total(seconds_of(self._direct.pids))
            if after - before < RESTING * STEP_SECONDS:
                return
            before = after

    async def _batches(self, name: str, seconds: float) -> RawLimit:
        """A raw limit of the databases, measured once: this process runs its loops, and counts as the generator."""
        if name not in self._limits:
            await self.settle()
            processes = {**self._direct.pids, GENERATOR: [os.getpid()]}
            before = seconds_of(processes)
            done = await raw.LIMITS[name](self._stack.settings, seconds)
            after = seconds_of(processes)
            spent = {kind: after[kind] - before[kind] for kind in processes}
            self._limits[name] = RawLimit(name, done / seconds, per_answer(spent, done))
        return self._limits[name]

    async def _bare_handler(self, sample: str, connections: int, seconds: float) -> RawLimit:
        """The raw limit of a read: as many bare handlers as there are nodes, which answer the same bytes."""
        if not self._bare:
            ports = [free_port() for _ in self._stack.nodes]
            self._bare = [await self._closing.enter_async_context(worker("bare", str(port))) for port in ports]
            self._bare_urls = [f"http://127.0.0.1:{port}" for port in ports]
        for handler in self._bare:
            handler.tell(sample)
            await handler.hear()
        way = Way("direct", self._bare_urls, {"node": [handler.pid for handler in self._bare]})
        line, _ = await self._load(BARE, way, connections, seconds)
        if line.flaws():
            raise SystemExit(f"the bare handlers failed: {line.flaws()}")
        return RawLimit(BARE, line.per_second, line.cpu_us)

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
        await self.settle()
        self._order(door, self._direct, connections, seconds)
        order = {"kind": kind, "seconds": seconds}
        spent = await self._spent(self._direct, partial(self._probe.tell, order))
        found, lags = await self._generator.hear(), await self._probe.hear()
        figures = Figures(found["count"], found["per_second"], lags["p50_ms"], lags["p99_ms"])
        line = self._made(name, connections, figures, spent, seconds)
        note = f"{lags['count']} lags; a read: {lags['read_ms']:.1f} ms"
        self.lines.append(replace(line, refused=found["refused"], errors=found["errors"], note=note))

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
        figures = Figures(len(times), 1000 * len(times) / sum(times), sorted(times)[len(times) // 2], max(times))
        line = self._made(DOCTOR, 0, figures, {"command": spent}, sum(times) / 1000)
        note = f"{spent / len(times):.2f} s of CPU"
        self.lines.append(replace(line, note=note))


@asynccontextmanager
async def session(stack: Stack, effort: Effort) -> AsyncIterator[Session]:
    async with AsyncExitStack() as closing:
        generator = await closing.enter_async_context(worker("generator"))
        ids = await stack.some_players() if effort.loaded else []
        generator.tell({"urls": stack.urls, "ids": ids, "players": effort.crowd})
        yield Session(stack, effort, generator, closing)
