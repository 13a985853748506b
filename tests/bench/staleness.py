"""How old what a read from a replica shows is: players that act and read, each over a connection of its own.

A read that shows version v is as old as the acknowledgement of v + 1, if that came before the read was sent; else it is
fresh, as far as its player can tell.
"""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import aiohttp

from bots.wire.connecting import Endpoint
from tests.bench.crowd import Asker, Somebody, sign_up
from tests.bench.doors import STALENESS
from tests.bench.losses import ORDERS

PROBES = 8
PAUSE = 0.005
_READS = re.compile(r'^gameserver_player_reads_total\{source="([^"]+)"\} (\S+)$', re.MULTILINE)
SHARES = (50, 90, 99, 100)
"""Per cent of the reads."""


@dataclass(frozen=True, slots=True)
class Staleness:
    """The ages of the reads in ms, sorted; 0 for fresh ones. `wrong`: reads by token that were older than that.

    `by_replica`: the share of all of them that replicas answered.
    """

    ages: Sequence[float]
    wrong: int
    by_token: int
    by_replica: float

    @property
    def fresh(self) -> float:
        """The share of reads that showed all that their player had done."""
        return sum(age == 0 for age in self.ages) / max(1, len(self.ages))

    def at(self, share: int) -> float:
        """The age in ms that so many per cent of the reads don't exceed."""
        return self.ages[min(len(self.ages) - 1, len(self.ages) * share // 100)] if self.ages else 0.0


class Reader:
    """A player that acts, and reads at once, once allowing an age and once by its token."""

    def __init__(self, asker: Asker, player: Somebody) -> None:
        self._asker, self._player = asker, player
        self._known = {1: time.perf_counter()}
        """When each version was acknowledged."""
        self.ages: list[float] = []
        self.wrong = self.by_token = 0

    async def turn(self, number: int) -> None:
        body = ORDERS[number % len(ORDERS)]
        status, answer = await self._asker.ask("POST", "/v1/players/me/actions", token=self._player.token, body=body)
        if status == 200:
            self._known[answer["player"]["version"]] = time.perf_counter()
        await asyncio.sleep(PAUSE * (number % 8))
        sent = time.perf_counter()
        version = await self._read(f"?max_staleness={STALENESS}")
        later = self._known.get(version + 1)
        self.ages.append(0.0 if later is None else 1000 * (sent - later))
        newest = max(self._known)
        self.wrong += await self._read("", f"{self._player.id}:{newest}") < newest
        self.by_token += 1

    async def _read(self, query: str, consistency: str = "") -> int:
        _, player = await self._asker.ask(
            "GET", f"/v1/players/me{query}", token=self._player.token, consistency=consistency
        )
        return int(player["version"])


async def measure(urls: Sequence[str], seconds: float) -> Staleness:
    players = await sign_up(urls, PROBES)
    readers = [
        Reader(await Asker.open(Endpoint.parse(urls[number % len(urls)])), player)
        for number, player in enumerate(players)
    ]
    end = time.monotonic() + seconds

    async def go_on(reader: Reader) -> None:
        number = 0
        while time.monotonic() < end:
            await reader.turn(number)
            number += 1

    before = await _counted(urls)
    await asyncio.gather(*map(go_on, readers))
    read = await _counted(urls) - before
    ages = sorted(age for reader in readers for age in reader.ages)
    by_token = sum(each.by_token for each in readers)
    share = read["replica"] / max(1, read.total())
    return Staleness(ages, sum(each.wrong for each in readers), by_token, share)


async def _counted(urls: Sequence[str]) -> Counter[str]:
    """The players that the nodes have read, by source."""
    counts = Counter[str]()
    async with aiohttp.ClientSession() as client:
        for url in urls:
            async with client.get(f"{url}/metrics") as answer:
                for source, count in _READS.findall(await answer.text()):
                    counts[source] += round(float(count))
    return counts
