"""What `/proc` tells about processes and ports; where there is no `/proc`, it tells nothing."""

import os
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")
_LISTENING = "0A"


def descendants(pid: int) -> list[int]:
    """The living processes that `pid` started, directly or not."""
    children = defaultdict(list)
    for process in _processes():
        with suppress(OSError, ValueError, IndexError):
            stat = (_PROC / str(process) / "stat").read_text("utf-8", "replace")
            children[int(stat.rpartition(")")[2].split()[1])].append(process)
    found: list[int] = []
    ahead = [pid]
    while ahead:
        below = children[ahead.pop()]
        found += below
        ahead += below
    return found


def runs_in(pid: int, folder: Path) -> bool:
    """Whether `pid` is alive and works in `folder`; if that is hidden, whether its command names it."""
    try:
        return os.readlink(_PROC / str(pid) / "cwd") == str(folder)
    except PermissionError:
        return str(folder) in command_line(pid)
    except OSError:
        return False


def command_line(pid: int) -> str:
    """The command of a process with its arguments; empty when it is gone."""
    try:
        return (_PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()
    except OSError:
        return ""


def listener(port: int) -> int | None:
    """The process that listens on a TCP port; None when there is none, or it belongs to someone else."""
    sockets = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    for pid in _processes() if sockets else ():
        with suppress(OSError):
            for descriptor in (_PROC / str(pid) / "fd").iterdir():
                with suppress(OSError):
                    if os.readlink(descriptor) in sockets:
                        return pid
    return None


def _listening_inodes(port: int) -> list[str]:
    found = []
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in (_PROC / "net" / table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                    found.append(fields[9])
    return found


def _processes() -> list[int]:
    try:
        return [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit()]
    except OSError:
        return []
