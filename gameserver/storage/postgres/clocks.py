"""The difference between this node's clock and those of the databases, and the clock that the node goes by.

Law: the control database's clock is the one that all nodes go by. A node whose own clock is near it (CLOSE_SECONDS)
uses its own; otherwise the difference is added. Between two measurements time passes as the monotonic clock has it, so
a step of the node's own clock has no effect. A measurement is known up to half of its round trip (`bound`).
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from gameserver.rules.errors import DatabaseUnavailable
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.databases import Databases
from gameserver.storage.postgres.shares import Purpose, using
from gameserver.telemetry import CLOCK_DIFFERENCE

CLOSE_SECONDS = 0.5
"""Differences that are left alone: what a clock under NTP never reaches."""
EVERY_SECONDS = 10.0
SAMPLES = 3
LONGEST_BOUND = 1.0
"""A measurement that is known less well says nothing."""
TIME = "select extract(epoch from clock_timestamp())::float8"
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ClockDifference:
    """How far a server's clock is ahead of this node's own, give or take `bound`; in seconds."""

    seconds: float
    bound: float

    @property
    def matters(self) -> bool:
        return abs(self.seconds) > CLOSE_SECONDS + self.bound


async def measure(ask: Callable[[], Awaitable[float]], wall: Callable[[], float] = time.time) -> ClockDifference:
    """The best of a few measurements; `ask` gives the other clock's Unix seconds."""
    samples = []
    for _ in range(SAMPLES):
        own, began = wall(), time.monotonic()
        theirs = await ask()
        took = time.monotonic() - began
        samples.append(ClockDifference(theirs - own - took / 2, took / 2))
    return min(samples, key=lambda sample: sample.bound)


async def difference(database: Database, wall: Callable[[], float] = time.time) -> ClockDifference:
    """How far the database's clock is ahead. Raises DatabaseUnavailable."""

    async def ask() -> float:
        return float((await database.ask(TIME))[0][0])

    return await measure(ask, wall)


class NodeClock:
    """The time that a node goes by. `wall` is the machine's clock, in Unix seconds."""

    def __init__(self, databases: Databases, control: str, wall: Callable[[], float] = time.time) -> None:
        self._databases, self._control, self._wall = databases, control, wall
        self._offset = 0.0
        self._anchor = wall() - time.monotonic()

    def seconds(self) -> float:
        """Unix seconds."""
        return self._anchor + time.monotonic()

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds(), UTC)

    async def run(self) -> None:
        """Measures every database every 10 seconds, until cancelled."""
        while True:
            with using(Purpose.UPKEEP):
                await self.look()
            await asyncio.sleep(EVERY_SECONDS)

    async def look(self) -> None:
        """Measures every database; of one that no group has any more, nothing is told."""
        names = [name for name in self._databases.names() if self._databases[name].groups]
        for name in set(self._databases.names()).difference(names):
            CLOCK_DIFFERENCE.remove(name)
        await asyncio.gather(*map(self._look, names))

    async def adjust(self) -> None:
        """Measures the control database. Raises DatabaseUnavailable."""
        measured = await difference(self._databases[self._control], self._wall)
        CLOCK_DIFFERENCE.labels(self._control).set(measured.seconds)
        if measured.bound > LONGEST_BOUND:
            return
        wanted = measured.seconds if measured.matters else 0.0
        if abs(wanted - self._offset) > CLOSE_SECONDS + measured.bound:
            seconds, within = round(measured.seconds, 3), round(measured.bound, 3)
            if wanted:
                log.warning("this node's clock is off and corrected: set it by NTP", seconds=seconds, within=within)
            else:
                log.info("this node's clock is right again", seconds=seconds, within=within)
            self._offset = wanted
        self._anchor = self._wall() + self._offset - time.monotonic()

    async def _look(self, name: str) -> None:
        try:
            if name == self._control:
                await self.adjust()
                return
            measured = await difference(self._databases[name], self._wall)
        except DatabaseUnavailable:
            CLOCK_DIFFERENCE.remove(name)
            return  # the database's outage is told elsewhere
        CLOCK_DIFFERENCE.labels(name).set(measured.seconds)
        apart = ClockDifference(measured.seconds - self._offset, measured.bound)
        if apart.matters:
            log.warning(
                "a database's clock differs from the control database's: set both by NTP",
                database=name,
                seconds=round(apart.seconds, 3),
            )
