"""How long after an action's answer others see what it did: on a board, or as a letter in an inbox.

`python -m tests.bench.lag URL…`, beside a load. For each order, {"kind": "board" or "mail", "seconds": …}, it prints
p50 and p99 of the lags in ms: from an answer to the arrival of the first read that shows it. So such a read is
included; the median of all reads is printed, too.
"""

import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import orjson
import uvloop

from bots.wire.connecting import Endpoint
from tests.bench import crowd
from tests.bench.crowd import Asker, Somebody
from tests.bench.worker import next_line, say

PAUSE, POLL = 0.02, 0.002
PROBES = 8
LONGEST = 20.0


class Probe:
    """Two players, one of which acts; `asker` is the connection of both."""

    def __init__(self, asker: Asker, healer: Somebody, healed: Somebody) -> None:
        self._asker, self._healer, self._healed = asker, healer, healed
        self._exp = 0
        self.reads: list[float] = []

    async def board(self) -> Callable[[], Awaitable[bool]] | None:
        """Hunts; returns whether the board shows the EXP, or None if it gained none."""
        answer = await self._act(self._healed, "hunt", {"foe": "slime"})
        if answer is None or answer["player"]["exp"] == self._exp:
            await self._act(self._healed, "rest", {})
            return None
        exp = self._exp = answer["player"]["exp"]

        async def shown() -> bool:
            status, found = await self._read(f"/v1/boards/exp/ranks/{self._healed.id}")
            return status == 200 and bool(found["entry"]["score"] >= exp)

        return shown

    async def mail(self) -> Callable[[], Awaitable[bool]] | None:
        """Heals; returns whether the letter has arrived."""
        _, before = await self._read("/v1/players/me/inbox?limit=1")
        if await self._act(self._healer, "heal_other", {"player": self._healed.id}) is None:
            await self._act(self._healer, "rest", {})
            return None

        async def shown() -> bool:
            _, found = await self._read("/v1/players/me/inbox?limit=1")
            return bool(found != before)

        return shown

    async def _act(self, player: Somebody, action: str, args: dict[str, Any]) -> Any:
        body = {"action": action, "args": args}
        status, answer = await self._asker.ask("POST", "/v1/players/me/actions", token=player.token, body=body)
        return answer if status == 200 else None

    async def _read(self, path: str) -> tuple[int, Any]:
        began = time.perf_counter()
        answer = await self._asker.ask("GET", path, token=self._healed.token)
        self.reads.append(1000 * (time.perf_counter() - began))
        return answer


async def measure(probes: Sequence[Probe], kind: str, seconds: float) -> dict[str, Any]:
    end = time.monotonic() + seconds
    followed = await asyncio.gather(*(follow(probe, kind, end) for probe in probes))
    lags = sorted(lag for part in followed for lag in part)
    reads = [read for probe in probes for read in probe.reads]
    p99 = lags[min(len(lags) - 1, len(lags) * 99 // 100)] if lags else 0.0
    p50, read = statistics.median(lags or [0.0]), statistics.median(reads or [0.0])
    return {"count": len(lags), "p50_ms": round(p50, 2), "p99_ms": round(p99, 2), "read_ms": read}


async def follow(probe: Probe, kind: str, end: float) -> list[float]:
    """One lag after the other, in ms."""
    lags: list[float] = []
    probe.reads.clear()
    while time.monotonic() < end:
        shown = await (probe.board() if kind == "board" else probe.mail())
        if shown is not None:
            lags.append(await lag_of(shown))
        await asyncio.sleep(PAUSE)
    return lags


async def lag_of(shown: Callable[[], Awaitable[bool]]) -> float:
    """In ms; LONGEST s when it wasn't shown by then."""
    began = time.perf_counter()
    lag = 0.0
    while not await shown() and lag < LONGEST:
        await asyncio.sleep(POLL)
        lag = time.perf_counter() - began
    return 1000 * (time.perf_counter() - began)


async def main(urls: list[str]) -> None:
    players = await crowd.sign_up(urls, 2 * PROBES, "priest")
    pairs = zip(players[:PROBES], players[PROBES:], strict=True)
    endpoints = [Endpoint.parse(url) for url in urls]
    askers = [await Asker.open(endpoints[number % len(urls)]) for number in range(PROBES)]
    probes = [Probe(asker, *pair) for asker, pair in zip(askers, pairs, strict=True)]
    say("ready")
    while line := await next_line():
        order = orjson.loads(line)
        say(await measure(probes, order["kind"], order["seconds"]))


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1:]))
