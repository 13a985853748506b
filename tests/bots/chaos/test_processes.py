"""Signals to real processes: to a whole tree, and never to a process that isn't meant."""

import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bots.chaos import processes
from bots.chaos.processes import ProcessIdentity
from tests.support.wait import wait_until


def identity(pid: int) -> ProcessIdentity:
    return ProcessIdentity(pid, int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]))


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


Family = tuple[subprocess.Popen[bytes], list[ProcessIdentity]]


def spawned() -> subprocess.Popen[bytes]:
    return subprocess.Popen(["/bin/sh", "-c", "sleep 60 & sleep 60 & wait"])


@pytest.fixture
async def family() -> AsyncIterator[Family]:
    """A process that has started two others."""
    parent = spawned()
    root = identity(parent.pid)
    try:
        await wait_until(lambda: len(processes.tree([root])) == 3, what="both children run")
        yield parent, processes.tree([root])
    finally:
        processes.kill([root])
        parent.wait()


async def test_a_tree_is_killed_with_all_that_it_started(family: Family) -> None:
    parent, members = family
    assert members[0].pid == parent.pid
    assert processes.kill(members[:1]) == 3
    parent.wait(10)
    await wait_until(lambda: not any(map(processes.lives, members)), what="all of them have ended")


async def test_a_frozen_tree_does_nothing_until_it_goes_on(family: Family) -> None:
    _, members = family
    stopped = processes.stop(members[:1])
    assert set(stopped) == set(members)
    await wait_until(lambda: {state(each.pid) for each in members} == {"T"}, what="all of them are stopped")
    processes.go_on(stopped)
    await wait_until(lambda: {state(each.pid) for each in members}.isdisjoint({"T"}), what="all of them go on")


async def test_another_process_with_the_same_number_is_left_alone(family: Family) -> None:
    parent, members = family
    former = ProcessIdentity(parent.pid, members[0].started - 1)
    assert not processes.lives(former)
    assert processes.kill([former]) == 0
    assert processes.stop([former]) == []
    assert all(map(processes.lives, members))
