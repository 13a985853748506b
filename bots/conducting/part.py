"""A generator's side: JSON lines to the conductor on stdout, and its words on stdin.

The first line on stdin has its orders. Its own lines: `{"ready": true}`; `{"second": {...}, "generator": {...}}`, both
with `players` and `phase`; `{"played": true}`; and at the end `{"end": {...}}`. The conductor answers `ready` and
`played` when all parts are that far. If it is gone, whatever ended it, the play is stopped at once.
"""

import asyncio
import contextlib
import sys
from dataclasses import asdict
from typing import Any

import orjson

from bots.count.document import GeneratorSecond, RunSecond, generator_second, run_second
from bots.play.swarm import Swarm
from bots.waiting import cancel_and_wait

REPORT_SECONDS = 0.25
GONE = b""
"""In place of the words of a conductor that has ended."""


class ConductorLeftError(Exception):
    """The process that conducts this part has ended."""


class PartStage:
    """The stage of one part of a run."""

    def __init__(self) -> None:
        self._words: asyncio.Queue[bytes] = asyncio.Queue()

    async def ready(self) -> None:
        """Wait until every part has signed up."""
        await self._in_step("ready")

    async def played(self) -> None:
        """Wait until every part has played."""
        await self._in_step("played")

    async def show(self, swarm: Swarm) -> None:
        """Report every second that is over, until cancelled, and take the conductor's words."""
        taken, listening = 0, asyncio.create_task(self._listen(swarm))
        try:
            while True:
                await asyncio.sleep(REPORT_SECONDS)
                taken = self._report(swarm, taken)
        except ConnectionError:
            self._left(swarm)
        finally:
            await cancel_and_wait(listening)
            with contextlib.suppress(ConnectionError):
                self._report(swarm, taken)

    async def _listen(self, swarm: Swarm) -> None:
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
        try:
            while word := await reader.readline():
                self._words.put_nowait(word)
        finally:
            transport.close()
        self._left(swarm)

    def _left(self, swarm: Swarm) -> None:
        swarm.stop.set()
        self._words.put_nowait(GONE)

    def say(self, text: str) -> None:
        """Print it on stderr, which the conductor shares."""
        print(text, file=sys.stderr)

    def _report(self, swarm: Swarm, taken: int) -> int:
        seconds, health = swarm.tally.recorder.seconds, swarm.tally.health.last
        for second in seconds[taken:]:
            tell(
                second=second.as_json(),
                generator=None if health is None else asdict(health),
                players=len(swarm.signed_up),
                phase=swarm.phase,
            )
        if len(seconds) == taken:
            tell(players=len(swarm.signed_up), phase=swarm.phase)
        return len(seconds)

    async def _in_step(self, what: str) -> None:
        tell(**{what: True})
        if await self._words.get() == GONE:
            raise ConductorLeftError


def read_orders() -> Any:
    """Read what this part is to do; raises ConductorLeftError."""
    line = sys.stdin.buffer.readline()
    if not line:
        raise ConductorLeftError
    return orjson.loads(line)


def tell(**values: Any) -> None:
    """Write one line to the conductor."""
    sys.stdout.buffer.write(orjson.dumps(values) + b"\n")
    sys.stdout.buffer.flush()


def report_end(value: Any) -> None:
    """Tell the conductor the result of this part."""
    tell(end=value)


def second_of(line: Any) -> tuple[RunSecond, GeneratorSecond | None] | None:
    """Read a second from a part's line, None if there is none in it; raises ValueError."""
    if "second" not in line:
        return None
    health = line.get("generator")
    return run_second(line["second"]), None if health is None else generator_second(health)
