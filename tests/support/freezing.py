"""Servers that are frozen, as by a stopped machine: they take connections and say nothing."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from gameserver.stack.processes.process_table import descendants
from gameserver.stack.servers.managed import ManagedServer


@contextmanager
def frozen(server: ManagedServer) -> Iterator[None]:
    """The server is stopped, with all of its backends if it has any."""
    pid = server.process.pid
    assert pid is not None
    pids = [pid, *descendants(pid)]
    for each in pids:
        _tell(each, signal.SIGSTOP)
    try:
        yield
    finally:
        for each in (*pids, *descendants(pid)):
            _tell(each, signal.SIGCONT)


def _tell(pid: int, what: signal.Signals) -> None:
    """Backends end by themselves, also between two signals."""
    with suppress(ProcessLookupError):
        os.kill(pid, what)
