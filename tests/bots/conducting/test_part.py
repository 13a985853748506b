"""A generator whose conductor has ended, whatever ended it, plays on for nobody: it stops."""

import asyncio
import contextlib
import os
import sys
from collections.abc import Iterator
from typing import IO

import pytest

from bots.cli.options import DEFAULTS
from bots.conducting import part
from bots.conducting.part import ConductorLeftError, PartStage
from bots.count.tally import Tally
from bots.play.swarm import Swarm
from bots.waiting import cancel_and_wait


@pytest.fixture
def conductor(monkeypatch: pytest.MonkeyPatch) -> Iterator[IO[bytes]]:
    """The conductor's end of stdin."""
    reading, writing = os.pipe()
    stdin = os.fdopen(reading, "rb")
    monkeypatch.setattr(sys, "stdin", stdin)
    with os.fdopen(writing, "wb", buffering=0) as end:
        yield end
    # The event loop closes what it reads from.
    with contextlib.suppress(OSError):
        stdin.close()


def new_swarm() -> Swarm:
    return Swarm(DEFAULTS, Tally(), asyncio.Event())


async def test_a_part_goes_on_at_its_conductors_word_and_stops_when_it_is_gone(conductor: IO[bytes]) -> None:
    swarm, stage = new_swarm(), PartStage()
    shown = asyncio.create_task(stage.show(swarm))
    try:
        conductor.write(b'"go"\n')
        await stage.ready()
        assert not swarm.stop.is_set()
        conductor.close()
        await asyncio.wait_for(swarm.stop.wait(), 5)
        with pytest.raises(ConductorLeftError):
            await stage.played()
    finally:
        await cancel_and_wait(shown)


async def test_a_part_that_nobody_reads_any_more_stops(conductor: IO[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(**_values: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(part, "tell", broken)
    monkeypatch.setattr(part, "REPORT_SECONDS", 0.0)
    swarm = new_swarm()
    await asyncio.wait_for(PartStage().show(swarm), 5)
    assert swarm.stop.is_set()
    assert not conductor.closed
