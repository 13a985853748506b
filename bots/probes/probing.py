"""Runs the probes while the bots play.

Law: a probe that meets an answer outside the contract stops and is reported; the others, and the bots, go on. What it
still waits for at the end of a run, and doesn't come to see, proves nothing.
"""

import asyncio
import contextlib
from typing import Protocol

from bots.probes.ground import ProbeGround
from bots.probes.leaving import BanProbe, SignOutProbe
from bots.probes.naming import NameProbe
from bots.probes.ordering import OrderProbe
from bots.proof.invariants import CONTRACT, Fault
from bots.waiting import pause

CLOSE_SECONDS = 30.0


class Probe(Protocol):
    """One promise that is tried again and again, every `every` seconds."""

    every: float

    async def begin(self) -> bool:
        """Return whether it can be tried here."""

    async def round(self) -> None:
        """Try once."""

    async def close(self) -> None:
        """End what is open."""


class Probes:
    """All probes of a run."""

    def __init__(self, ground: ProbeGround) -> None:
        self._ground = ground
        self._probes: list[Probe] = [
            OrderProbe(ground),
            NameProbe(ground),
            SignOutProbe(ground),
            BanProbe(ground),
        ]

    async def run(self) -> None:
        """Probe until the ground's `stop` is set."""
        async with asyncio.TaskGroup() as group:
            for probe in self._probes:
                group.create_task(self._guarded(probe))

    async def _guarded(self, probe: Probe) -> None:
        try:
            if await probe.begin():
                while not await pause(probe.every, self._ground.stop):
                    await probe.round()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await probe.close()
        except Exception as error:
            told = f"{type(probe).__name__} stopped: {error!r}"
            self._ground.findings.faults.append(Fault(CONTRACT, told))
