"""Processes of this machine, told apart by number and start, and signals that can't reach another one (Linux only).

Law: a signal goes through a descriptor of the process whose start was compared after it was opened, so a number that
the kernel gave to somebody else meanwhile is never signalled.
"""

import contextlib
import os
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from bots.chaos.errors import CantBeDoneError


class ProcessIdentity(NamedTuple):
    """A process: its number, and when it was started, in clock ticks since the machine's start."""

    pid: int
    started: int


class _Entry(NamedTuple):
    state: str
    parent: int
    started: int


def identity(pid: int) -> ProcessIdentity:
    """The process that has this number now; raises CantBeDoneError if there is none."""
    if (entry := _entry(pid)) is None:
        raise CantBeDoneError(f"there is no process {pid}, or /proc doesn't tell")
    return ProcessIdentity(pid, entry.started)


def lives(process: ProcessIdentity) -> bool:
    """Whether it runs; one that has ended and isn't reaped doesn't."""
    entry = _entry(process.pid)
    return entry is not None and entry.started == process.started and entry.state != "Z"


def tree(roots: Iterable[ProcessIdentity]) -> list[ProcessIdentity]:
    """These processes and all that they started, directly or not, parents before children; those that live."""
    children: dict[int, list[ProcessIdentity]] = {}
    for pid in _pids():
        if (entry := _entry(pid)) is not None:
            children.setdefault(entry.parent, []).append(ProcessIdentity(pid, entry.started))
    found = [root for root in roots if lives(root)]
    for process in found:
        found += [child for child in children.get(process.pid, ()) if child not in found]
    return found


def tell(process: ProcessIdentity, what: signal.Signals) -> bool:
    """Send a signal; False if the process has ended. Raises CantBeDoneError when this account may not."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except OSError:
        return False
    try:
        if not lives(process):
            return False
        signal.pidfd_send_signal(descriptor, what)
    except ProcessLookupError:
        return False
    except PermissionError:
        raise CantBeDoneError(f"this account may not signal process {process.pid}") from None
    finally:
        os.close(descriptor)
    return True


def kill(roots: Iterable[ProcessIdentity]) -> int:
    """End these processes and all that they started at once, as when their machine fails; returns how many."""
    stopped = stop(roots)
    return sum(tell(process, signal.SIGKILL) for process in stopped)


def stop(roots: Iterable[ProcessIdentity]) -> list[ProcessIdentity]:
    """Let these processes and all that they started do nothing; returns them, for `go_on`."""
    roots, stopped = list(roots), list[ProcessIdentity]()
    try:
        # Twice, since the first to stop may have started another one meanwhile.
        for _ in range(2):
            for process in tree(roots):
                if process not in stopped and tell(process, signal.SIGSTOP):
                    stopped.append(process)
    except CantBeDoneError:
        go_on(stopped)
        raise
    return stopped


def go_on(stopped: Iterable[ProcessIdentity]) -> None:
    """Let stopped processes go on."""
    for process in stopped:
        with contextlib.suppress(CantBeDoneError):
            tell(process, signal.SIGCONT)


def titles(roots: Iterable[ProcessIdentity]) -> list[str]:
    """The commands of these processes and of all that they started; Postgres says there what each is for."""
    return [title for process in tree(roots) if (title := _title(process.pid))]


def _title(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()
    except OSError:
        return ""


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _entry(pid: int) -> _Entry | None:
    try:
        # Behind the name, which may hold anything: the state is field 3, the parent 4, the start 22.
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        return _Entry(fields[0], int(fields[1]), int(fields[19]))
    except (OSError, IndexError, ValueError):
        return None
