"""What the nemesis does to real processes that a stack names, and what it skips."""

import asyncio
import subprocess
import tomllib
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from bots.chaos.nemesis import Nemesis
from bots.chaos.plan import parse
from bots.chaos.processes import ProcessIdentity, lives
from bots.chaos.stack import RunningStack
from bots.chaos.timetable import Due
from tests.bots.chaos.stacks import described, server
from tests.bots.chaos.test_processes import identity, state
from tests.support.wait import wait_until

PLAN = parse(tomllib.loads("""
[[faults]]
kind = "freeze"
target = "node-1"
at = 0
[[faults]]
kind = "kill"
target = ["haproxy", "redis"]
every = 60
"""), "plan.toml")  # fmt: skip


@pytest.fixture
def sleeper() -> Iterator[ProcessIdentity]:
    with subprocess.Popen(["sleep", "60"]) as process:
        yield identity(process.pid)
        process.kill()


def due(kind: str, target: str, seconds: float = 0.2) -> Due:
    return Due(0.0, kind, target, target, seconds, 16, 1, f"a {kind} of {target}")


def stack_of(folder: Path, process: ProcessIdentity) -> RunningStack:
    """One whose file says that `process` is its node and its database."""
    base = described(server("node-1", "node", process), server("one", "database", process, database="one"))
    own, each = base.up._asdict(), process._asdict()
    servers = [
        {"name": name, "kind": kind, "database": None, "address": "127.0.0.1:1", "processes": [each]}
        for name, kind in (("node-1", "node"), ("one", "database"))
    ]
    content = {
        "format": "heroledger-stack", "version": 1, "up": own, "command": ["false"], "gameserver": "0",
        "config": "x.toml", "data": str(folder), "players": "http://x", "operators": "http://x", "admin_key_file": "x",
        "groups": {"players": ["one"]}, "slots": {"players": 8}, "servers": servers,
    }  # fmt: skip
    (folder / "run").mkdir()
    (folder / "run" / "stack.json").write_bytes(orjson.dumps(content))
    return replace(base, file=folder / "run" / "stack.json", data=folder)


async def run(nemesis: Nemesis, meanwhile: Callable[[], Awaitable[object]] | None = None) -> list[tuple[str, str, str]]:
    """What its events say when it has done everything."""
    await nemesis.unleash(asyncio.get_running_loop().time(), asyncio.Event())
    if meanwhile is not None:
        await meanwhile()
    await nemesis.close()
    return [(event.kind, event.target, event.note) for event in nemesis.events]


async def test_a_frozen_server_goes_on_after_its_time(tmp_path: Path, sleeper: ProcessIdentity) -> None:
    async def frozen() -> None:
        await wait_until(lambda: state(sleeper.pid) == "T", what="it is frozen")

    nemesis = Nemesis(stack_of(tmp_path, sleeper), [due("freeze", "node-1", 1.0)], 1, PLAN)
    assert await run(nemesis, frozen) == [("freeze", "node-1", "1 processes did nothing for 1 s")]
    assert state(sleeper.pid) != "T"
    assert nemesis.events[0].until - nemesis.events[0].at >= 1.0


async def test_a_frozen_server_goes_on_when_the_run_is_interrupted(tmp_path: Path, sleeper: ProcessIdentity) -> None:
    nemesis = Nemesis(stack_of(tmp_path, sleeper), [due("freeze", "node-1", 60.0)], 1, PLAN)
    await nemesis.unleash(asyncio.get_running_loop().time(), asyncio.Event())
    await wait_until(lambda: state(sleeper.pid) == "T", what="it is frozen")
    closing = asyncio.create_task(nemesis.close())
    await asyncio.sleep(0)
    closing.cancel()
    await asyncio.wait({closing})
    assert state(sleeper.pid) != "T"
    assert nemesis.events[0].note == "interrupted"


async def test_what_cannot_be_done_says_why_and_the_others_go_on(tmp_path: Path, sleeper: ProcessIdentity) -> None:
    faults = [due("drain", "node-1"), due("switchover", "one"), due("move", "players"), due("freeze", "node-1"),
              replace(due("kill", ""), wanted="haproxy")]  # fmt: skip
    notes = {kind: note for kind, _, note in await run(Nemesis(stack_of(tmp_path, sleeper), faults, 1, PLAN))}
    assert notes == {
        "drain": "skipped: no HAProxy stands in front of the nodes",
        "switchover": "skipped: one has no standby that could lead",
        "move": "skipped: the group players has one database",
        "freeze": "1 processes did nothing for 0.2 s",
        "kill": "skipped: this stack has no haproxy",
    }
    assert lives(sleeper)


async def test_a_second_fault_of_the_same_server_is_skipped(tmp_path: Path, sleeper: ProcessIdentity) -> None:
    nemesis = Nemesis(stack_of(tmp_path, sleeper), [due("freeze", "node-1", 1.0), due("kill", "node-1")], 1, PLAN)
    assert ("kill", "node-1", "skipped: node-1 is under another fault") in await run(nemesis)
    assert lives(sleeper)


async def test_no_fault_begins_after_the_end_of_the_play(tmp_path: Path, sleeper: ProcessIdentity) -> None:
    nemesis = Nemesis(stack_of(tmp_path, sleeper), [replace(due("kill", "node-1"), at=60.0)], 1, PLAN)
    stop = asyncio.Event()
    stop.set()
    await nemesis.unleash(asyncio.get_running_loop().time(), stop)
    await nemesis.close()
    assert nemesis.events == []
    assert lives(sleeper)


async def test_what_the_plan_names_and_nobody_drew_or_could_do_is_told_with_the_seed(
    tmp_path: Path, sleeper: ProcessIdentity
) -> None:
    nemesis = Nemesis(stack_of(tmp_path, sleeper), [due("freeze", "node-1")], 77, PLAN)
    await run(nemesis)
    seen = {sighting.name: sighting.seen for sighting in nemesis.sightings() if sighting.planned}
    assert seen == {"a freeze of node-1": 1, "a kill of haproxy or redis": 0}
    assert not any(sighting.expected for sighting in nemesis.sightings()), "a machine need not allow it"
    assert nemesis.as_planned() == {**PLAN.as_given, "seed": 77}
