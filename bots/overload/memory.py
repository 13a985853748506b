"""The resident memory of nodes, read from their operators' listeners before, during and after a load."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from bots.waiting import cancel_and_wait

RESIDENT = re.compile(r"^process_resident_memory_bytes (\S+)$", re.MULTILINE)
EVERY_SECONDS = 0.5
READ_SECONDS = 10.0
MIB = 1 << 20


@dataclass(slots=True)
class NodeMemory:
    """One node's, in bytes; it is bounded if it grew by no more than `most`."""

    url: str
    most: int
    before: int = 0
    peak: int = 0
    after: int = 0

    @property
    def is_bounded(self) -> bool:
        """Whether it was read, and grew by no more than it may."""
        return self.before > 0 and self.peak - self.before <= self.most

    def note(self, resident: int) -> None:
        """Take a figure."""
        self.before = self.before or resident
        self.peak, self.after = max(self.peak, resident), resident


@asynccontextmanager
async def watched(
    session: aiohttp.ClientSession, urls: Sequence[str], most_mib: int
) -> AsyncIterator[list[NodeMemory]]:
    """The memory of these nodes, read all the time; a node that doesn't answer in time is asked again."""
    nodes = [NodeMemory(url, most_mib * MIB) for url in urls]
    await asyncio.gather(*(_read(session, node) for node in nodes))
    watching = [asyncio.create_task(_watch(session, node)) for node in nodes]
    try:
        yield nodes
    finally:
        await cancel_and_wait(*watching)
    await asyncio.gather(*(_read(session, node) for node in nodes))


async def _watch(session: aiohttp.ClientSession, node: NodeMemory) -> None:
    while True:
        await asyncio.sleep(EVERY_SECONDS)
        await _read(session, node)


async def _read(session: aiohttp.ClientSession, node: NodeMemory) -> None:
    timeout = aiohttp.ClientTimeout(total=READ_SECONDS)
    try:
        async with session.get(f"{node.url}/metrics", timeout=timeout) as response:
            figure = RESIDENT.search(await response.text())
    except (aiohttp.ClientError, OSError, TimeoutError):
        return
    if figure is not None:
        node.note(int(float(figure[1])))
