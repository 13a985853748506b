"""Processor time of process trees, as the kernel counts it: it holds still when the machine doesn't.

A tree's time is that of its living processes and of every child that they have waited for, so a connection's process
that ends in between isn't lost. The kernel counts in ticks of 10 ms. And which processors trees run on.
"""

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

TICK = 1 / os.sysconf("SC_CLK_TCK")
PPID, FIRST_TIME, LAST_TIME = 1, 11, 15
"""Fields of /proc/*/stat behind the command: the parent, and utime, stime, cutime and cstime."""


def seconds_of(groups: Mapping[str, Sequence[int]]) -> dict[str, float]:
    """The seconds of processor time that each group's processes and their descendants have used so far."""
    children, ticks = defaultdict[int, list[int]](list), dict[int, int]()
    for pid, fields in _processes():
        children[int(fields[PPID])].append(pid)
        ticks[pid] = sum(map(int, fields[FIRST_TIME:LAST_TIME]))
    return {name: sum(ticks.get(pid, 0) for pid in _tree(pids, children)) * TICK for name, pids in groups.items()}


def confine(pids: Iterable[int], processor: int) -> None:
    """Lets these processes and their descendants run on that processor only; their future children, too."""
    children = defaultdict[int, list[int]](list)
    for pid, fields in _processes():
        children[int(fields[PPID])].append(pid)
    for pid in _tree(pids, children):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setaffinity(int(thread.name), {processor})


def put_first(pids: Sequence[int], processor: int) -> None:
    """Lets these processes, without those that they have started, run on that processor whenever they have work.

    The first of them before the second, and so on. What they start from now on does as well. Raises PermissionError if
    the machine doesn't allow it.
    """
    for priority, pid in enumerate(reversed(pids), 1):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setaffinity(int(thread.name), {processor})
            os.sched_setscheduler(int(thread.name), os.SCHED_FIFO, os.sched_param(priority))


def _tree(pids: Iterable[int], children: Mapping[int, Sequence[int]]) -> Iterable[int]:
    for pid in pids:
        yield pid
        yield from _tree(children[pid], children)


def _processes() -> Iterable[tuple[int, Sequence[str]]]:
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                text = (folder / "stat").read_text("utf-8", "replace")
            except OSError:  # it has ended meanwhile
                continue
            yield int(folder.name), text.rpartition(")")[2].split()
