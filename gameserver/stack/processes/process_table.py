"""What the operating system knows about processes and ports, read with psutil.

psutil comes with the `embedded` extra and is imported at the first call: a node without embedded servers doesn't need
it. `require` says so in a sentence before anything is started.
"""

import importlib
import os
from contextlib import suppress
from pathlib import Path
from types import ModuleType

from gameserver.stack.errors import StackError


def require() -> None:
    """Raises StackError when psutil isn't installed."""
    try:
        _psutil()
    except ImportError:
        raise StackError("The package psutil is missing: `pip install 'heroledger[embedded]'` brings it.") from None


def descendants(pid: int) -> list[int]:
    """The living processes that `pid` started, directly or not."""
    psutil = _psutil()
    try:
        return [child.pid for child in psutil.Process(pid).children(recursive=True)]
    except psutil.Error:
        return []


def ended_children() -> list[int]:
    """Children of this process that have ended, and that nobody has waited for yet."""
    psutil = _psutil()
    found = []
    for child in psutil.Process().children():
        with suppress(psutil.Error):
            if child.status() == psutil.STATUS_ZOMBIE:
                found.append(child.pid)
    return found


def session(pid: int) -> int | None:
    """The session that a process is in; None when it is gone."""
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None


def works_in(pid: int, folder: Path) -> bool:
    """Whether `pid` is alive and its working directory is `folder`; if that is hidden, whether its command names it."""
    psutil = _psutil()
    try:
        return bool(psutil.Process(pid).cwd() == str(folder))
    except psutil.AccessDenied:
        return str(folder) in command_line(pid)
    except psutil.Error:
        return False


def command_line(pid: int) -> str:
    """The command of a process with its arguments; empty when it has ended."""
    psutil = _psutil()
    try:
        return " ".join(psutil.Process(pid).cmdline()).strip()
    except psutil.Error:
        return ""


def started(pid: int) -> int | None:
    """When a process was started, in clock ticks since the machine's start; None when it has ended (Linux only)."""
    try:
        # Behind the name, which may hold anything: the state is field 3, the start field 22.
        return int(Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return None


def listener(port: int) -> int | None:
    """The process that listens on a TCP port; None when none does, or when it belongs to another account."""
    psutil = _psutil()
    try:
        sockets = psutil.net_connections(kind="tcp")
    except psutil.Error:
        return None
    pids = [entry.pid for entry in sockets if entry.status == psutil.CONN_LISTEN and entry.laddr.port == port]
    return next((pid for pid in pids if pid is not None), None)


def _psutil() -> ModuleType:
    return importlib.import_module("psutil")
