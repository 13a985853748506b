"""What children leave behind is reaped when it ends, and nothing that somebody waits for."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gameserver.stack.processes.lock import FolderLock
from gameserver.stack.processes.orphans import taken_in
from gameserver.stack.processes.process import Launch
from gameserver.stack.servers.node import NodeProcess
from tests.stack.processes.test_processes import played
from tests.support.wait import wait_until

LEAVES = """
import subprocess, sys
print(subprocess.Popen(sys.argv[1:], start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).pid)
"""
"""Starts a program in the background, as Patroni starts Postgres, and ends."""
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="others leave them to init")


def is_there(pid: int) -> bool:
    """Also when it has ended, until it is reaped."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def is_child(pid: int) -> bool:
    """Of this process, and running."""
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
    except ChildProcessError:
        return False


def until_ended(pid: int) -> None:
    """Leaves its status to whoever asks."""
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


def left_behind(*command: str) -> int:
    started = subprocess.run([sys.executable, "-c", LEAVES, *command], capture_output=True, check=True, text=True)
    return int(started.stdout)


async def test_what_was_left_behind_is_a_child_and_reaped_when_it_ends() -> None:
    async with taken_in(list):
        pid = left_behind("sleep", "600")
        assert is_child(pid)
        os.kill(pid, signal.SIGKILL)
        await wait_until(lambda: not is_there(pid), what="it is reaped")


async def test_what_somebody_waits_for_is_left_to_those_who_wait(folder: Path) -> None:
    """Both have ended while orphans were reaped, and keep their status."""
    node = played(folder, "usual")
    processes = [node.process]
    async with taken_in(lambda: processes):
        own = await asyncio.to_thread(subprocess.Popen, [sys.executable, "-c", "raise SystemExit(7)"])
        await ended(node)
        await asyncio.to_thread(until_ended, own.pid)
        await reaped_something()
        assert own.poll() == 7
    assert node.process.status == -signal.SIGKILL


async def test_what_one_starts_for_its_set_up_is_left_to_it_too(folder: Path) -> None:
    """A failed one that was reaped would count as done."""
    server = played(folder, "usual")
    helper = server.process.beside("The set-up")
    processes = [server.process]
    lock = FolderLock(folder / "lock")
    lock.acquire()
    async with taken_in(lambda: processes):
        command = (sys.executable, "-c", "raise SystemExit(7)")
        helper.start(Launch(argv=command, cwd=folder, env={}, lock=lock, orphaned=signal.SIGKILL))
        (pid,) = server.process.awaited_pids
        await asyncio.to_thread(until_ended, pid)
        await reaped_something()
        assert helper.status == 7
    lock.release()
    assert not server.process.awaited_pids, "its number may be another's now"


async def ended(node: NodeProcess) -> None:
    """Without anybody having asked for its status."""
    await node.start()
    pid = node.process.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await asyncio.to_thread(until_ended, pid)


async def reaped_something() -> None:
    """Twice, so that whatever ended before the first was looked at."""
    for _ in range(2):
        pid = left_behind("true")
        await wait_until(lambda pid=pid: not is_there(pid), what="what was left behind is reaped")


async def test_nothing_is_taken_in_before_and_afterwards() -> None:
    async with taken_in(list):
        pass
    pid = left_behind("sleep", "600")
    assert not is_child(pid)
    os.kill(pid, signal.SIGKILL)
