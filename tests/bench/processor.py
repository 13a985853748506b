"""Processor time of process trees, as the kernel counts it: it holds still when the machine doesn't.

A tree's time is that of its living processes and of every child that they have waited for, so a connection's process
that ends in between isn't lost. The kernel counts in ticks of 10 ms.
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

    def tree(pids: Iterable[int]) -> int:
        return sum(ticks.get(pid, 0) + tree(children[pid]) for pid in pids)

    return {name: tree(pids) * TICK for name, pids in groups.items()}


def _processes() -> Iterable[tuple[int, Sequence[str]]]:
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                text = (folder / "stat").read_text("utf-8", "replace")
            except OSError:  # it has ended meanwhile
                continue
            yield int(folder.name), text.rpartition(")")[2].split()
