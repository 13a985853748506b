"""Starts the generators of a run, keeps them in step, shows them together, and collects their results.

Law: the play begins when all have signed up, and the proof when all have played. If one fails, the others are ended. A
signal is passed on to all: the first ends the play, a second abandons what is under way.
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson
from rich.console import Console

from bots.chaos.nemesis import Nemesis
from bots.conducting.part import second_of
from bots.count.document import GeneratorSecond, RunSecond
from bots.count.operations import RunCounts
from bots.play.swarm import signals_to
from bots.screen import screen
from bots.screen.view import View
from bots.waiting import cancel_and_wait

LONGEST_LINE = 1 << 28
END_SECONDS = 10.0


class PartFailedError(Exception):
    """A generator ended without a result; what it printed says why."""


class _Part:
    """One generator as its conductor sees it."""

    def __init__(self, number: int, process: asyncio.subprocess.Process) -> None:
        self.number, self.process = number, process
        self.ready, self.played = asyncio.Event(), asyncio.Event()
        self.players, self.phase = 0, "starting"
        self.end: Any = None
        self.health: GeneratorSecond | None = None

    def tell(self, value: Any) -> None:
        """Write one line to it; a part that has ended is noticed by its reader."""
        assert self.process.stdin is not None
        with contextlib.suppress(ConnectionError):
            self.process.stdin.write(orjson.dumps(value) + b"\n")


class Conductor:
    """Runs `bots part` in `parts` processes, each with `orders` and its number; `view` shows them together.

    A `nemesis` does its work while they play; `begun` says whether they have begun to.
    """

    def __init__(self, orders: Mapping[str, Any], parts: int, view: View, nemesis: Nemesis | None = None) -> None:
        self._orders, self._count, self._view, self._nemesis = orders, parts, view, nemesis
        self.begun = False
        self._parts: list[_Part] = []
        self._seconds: dict[int, list[RunCounts]] = {}

    async def conduct(self, console: Console, *, quiet: bool) -> list[Any]:
        """Return what the parts reported at their end, in their order; raises PartFailedError."""
        try:
            for number in range(self._count):
                self._parts.append(_Part(number, await self._start()))
                self._parts[-1].tell({**self._orders, "part": number, "parts": self._count})
            shown = asyncio.create_task(self._show(console, quiet=quiet))
            try:
                with signals_to(self._pass_on):
                    await self._follow()
            finally:
                await cancel_and_wait(shown)
        finally:
            await self._end_all()
        return [part.end for part in self._parts]

    async def _start(self) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bots", "part",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=LONGEST_LINE, start_new_session=True,
        )  # fmt: skip

    async def _follow(self) -> None:
        """Read all parts to their end, and give them their words; raises PartFailedError."""
        steps = asyncio.create_task(self._keep_step())
        reading = [asyncio.create_task(self._read(part)) for part in self._parts]
        try:
            await asyncio.gather(*reading)
        finally:
            await cancel_and_wait(steps, *reading)

    async def _keep_step(self) -> None:
        for part in self._parts:
            await part.ready.wait()
        self.begun = True
        self._go()
        if self._nemesis is not None:
            self._nemesis.begin()
        for part in self._parts:
            await part.played.wait()
        if self._nemesis is not None:
            await self._nemesis.finish()
        self._go()

    def _go(self) -> None:
        for part in self._parts:
            part.tell("go")

    async def _read(self, part: _Part) -> None:
        assert part.process.stdout is not None
        async for text in part.process.stdout:
            self._take(part, orjson.loads(text))
        if part.end is None:
            raise PartFailedError(f"generator {part.number + 1} of {self._count} ended without a result")

    def _take(self, part: _Part, line: Any) -> None:
        part.players, part.phase = line.get("players", part.players), line.get("phase", part.phase)
        part.end = line.get("end", part.end)
        for name, event in (("ready", part.ready), ("played", part.played)):
            if name in line:
                event.set()
        found = second_of(line)
        if found is not None:
            second, part.health = found
            self._take_second(second)

    def _take_second(self, second: RunSecond) -> None:
        """Show a second once all parts have reported it."""
        reported = self._seconds.setdefault(second.at, [])
        reported.append(second.counts)
        if len(reported) == self._count:
            together = RunCounts()
            for counts in self._seconds.pop(second.at):
                together.add(counts)
            self._view.take(RunSecond(second.at, together))
            self._view.elapsed = second.at + 1

    async def _show(self, console: Console, *, quiet: bool) -> None:
        if not quiet:
            await screen.show(console, self._view, self._refresh)

    def _refresh(self) -> None:
        self._view.phase = min((part.phase for part in self._parts), key=self._order)
        self._view.players = sum(part.players for part in self._parts)
        self._view.generators = [
            replace(part.health, process=part.number) for part in self._parts if part.health is not None
        ]

    @staticmethod
    def _order(phase: str) -> int:
        phases = ("starting", "signing up", "playing", "waiting for answers", "proving")
        return phases.index(phase) if phase in phases else len(phases)

    def _pass_on(self) -> None:
        for part in self._parts:
            if part.process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(part.process.pid, signal.SIGTERM)

    async def _end_all(self) -> None:
        """End what still runs; a part that has reported its end needs only a moment."""
        for part in self._parts:
            if part.end is None and part.process.returncode is None:
                part.process.kill()
        for part in self._parts:
            try:
                async with asyncio.timeout(END_SECONDS):
                    await part.process.wait()
            except TimeoutError:
                part.process.kill()
                await part.process.wait()
