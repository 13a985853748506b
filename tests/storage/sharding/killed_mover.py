"""Moves slots, and kills itself with SIGKILL before or after it records a certain step.

python -m tests.storage.sharding.killed_mover CONFIG SLOTS TARGET GROUP before|after STEP
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gameserver import app as application
from gameserver.commands import sharding
from gameserver.config.settings import load
from gameserver.rules import ranges
from gameserver.storage.postgres.driver import DriverConnection
from gameserver.storage.sharding.copying import Copy
from gameserver.storage.sharding.cutover import Cutover
from gameserver.storage.sharding.move import SlotStep, Step
from gameserver.storage.sharding.records import MoveRecords
from gameserver.storage.sharding.slot_steps import SlotSteps
from tests.support.command_line import CommandLine

STEPS: dict[str, tuple[type, str, Callable[..., bool]]] = {
    "begin": (Copy, "begin", lambda *_: True),
    "copying": (MoveRecords, "advance", lambda _, step, **__: step is Step.COPYING),
    "moving": (MoveRecords, "advance", lambda _, step, **__: step is Step.MOVING),
    "fencing": (SlotSteps, "begin_fencing", lambda *_: True),
    "fence": (Cutover, "fence", lambda *_: True),
    "verify": (Cutover, "verify", lambda *_: True),
    "flip": (SlotSteps, "flip", lambda *_: True),
    "grant": (SlotSteps, "settle", lambda *args: SlotStep.MOVED in args),
    "cleaning": (MoveRecords, "advance", lambda _, step, **__: step is Step.CLEANING),
    "end": (Copy, "end", lambda *_: True),
    "erase": (Copy, "erase", lambda *_: True),
    "piece": (DriverConnection, "execute", lambda query, *_, **__: query.startswith('delete from "ledger"')),
    "done": (MoveRecords, "advance", lambda _, step, **__: step is Step.DONE),
}
"""What is called at each step of a move, and which of its calls is meant."""
SECOND_CALLS = ("end", "erase", "piece")
"""Called at the beginning, too."""


def arm(when: str, step: str) -> None:
    """Makes the process die at the step."""
    owner, name, is_meant = STEPS[step]
    call = getattr(owner, name)
    left = 2 if step in SECOND_CALLS else 1

    async def deadly(self: Any, *args: Any, **more: Any) -> Any:
        nonlocal left
        if not is_meant(*args, **more):
            return await call(self, *args, **more)
        left -= 1
        if not left and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        answer = await call(self, *args, **more)
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    setattr(owner, name, deadly)


@dataclass(frozen=True)
class Killer:
    """Runs movers as processes that are killed."""

    command_line: CommandLine
    config: Path

    async def kill_at(self, slots: list[int], target: str, when: str, step: str) -> None:
        words = (str(self.config), ranges.shown(slots).replace(" ", ""), target, "players", when, step)
        async with (
            asyncio.timeout(60),
            self.command_line.running("tests.storage.sharding.killed_mover", *words) as mover,
        ):
            done = await mover.end()
        assert done.code == -signal.SIGKILL, (when, step, done.text)


async def main(config: str, slots: str, target: str, group: str) -> None:
    async with application.open_sharding(load(Path(config))) as moves:
        plans = await sharding.plan_move(moves, group, ranges.parse(slots), target)
        await sharding.carry_out(moves, await sharding.begin(moves, plans), lambda _: None)


if __name__ == "__main__":
    arm(*sys.argv[5:])
    asyncio.run(main(*sys.argv[1:5]))
