"""Takes in the processes that children leave behind, and reaps each as soon as it ends.

Whoever starts a process in the background, as Patroni does with Postgres, leaves it to the init of the machine. In a
container that may be one that reaps late, or never; until then a dead Postgres counts as one that runs, and Patroni
waits for it instead of letting the standby take over. (Linux only; elsewhere they stay with init.)

Law: nothing is reaped that somebody waits for. What this process starts itself is in its own session, but for the
children of `Process`, which begin one each; so whatever else has another session was left behind.
"""

import asyncio
import ctypes
import os
import sys
from collections.abc import AsyncIterator, Callable, Container, Iterable
from contextlib import asynccontextmanager, suppress

from gameserver.stack.processes import process_table
from gameserver.stack.processes.process import Process
from gameserver.waiting import cancel_and_wait

_PR_SET_CHILD_SUBREAPER = 36
_LOOK_SECONDS = 0.05
"""How often it is asked whether any child has ended, which costs one system call."""
_libc = ctypes.CDLL(None)


@asynccontextmanager
async def taken_in(processes: Callable[[], Iterable[Process]]) -> AsyncIterator[None]:
    """While the block runs, what is left behind becomes a child of this process; `processes` are those it started."""
    if sys.platform != "linux":
        yield
        return
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    reaping = asyncio.create_task(_reap_for_ever(processes))
    try:
        yield
    finally:
        await cancel_and_wait([reaping])
        _libc.prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


async def _reap_for_ever(processes: Callable[[], Iterable[Process]]) -> None:
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        if _has_ended_children():
            _reap(own=set().union(*(process.awaited_pids for process in processes())))


def _reap(own: Container[int]) -> None:
    for pid in process_table.ended_children():
        if pid not in own and process_table.session(pid) != os.getsid(0):
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)


def _has_ended_children() -> bool:
    """Whether there is a child that has ended and wasn't reaped."""
    with suppress(ChildProcessError):
        return os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    return False
