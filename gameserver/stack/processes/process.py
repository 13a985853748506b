"""A child process: started with a log file, watched until it is ready, stopped within a deadline.

It dies with the process that started it, also when that one is killed with -9: the kernel then sends it the
signal of its launch. (Linux only. The kernel means the *thread* that started it: use one that lives on.)
"""

import asyncio
import ctypes
import functools
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from gameserver.stack.errors import StackError
from gameserver.stack.processes import procfs
from gameserver.stack.processes.account import Account
from gameserver.stack.processes.lock import FolderLock

_PR_SET_PDEATHSIG = 1
_LOG_BYTES_KEPT = 16 * 1024 * 1024
_SECONDS_TO_DIE = 5
_libc = ctypes.CDLL(None)


@dataclass(frozen=True)
class Launch:
    """How a process is started."""

    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str]
    claim: FolderLock
    """Inherited by the process; the caller releases its own."""
    orphaned: signal.Signals
    """What it gets when the process that started it dies."""
    account: Account | None = None
    """Whom it runs as; None for one's own account."""
    stdin: bytes = b""
    """At most what a pipe holds, 64 KiB."""


class Process:
    """One process at a time under one name, and its log, to which each start appends."""

    def __init__(self, name: str, log: Path) -> None:
        self.name = name
        self.log = log
        self._popen: subprocess.Popen[bytes] | None = None
        self._log_from = 0

    @property
    def pid(self) -> int | None:
        """None when it isn't running."""
        return self._popen.pid if self._popen is not None and self._popen.poll() is None else None

    @property
    def status(self) -> int | None:
        """The exit status, negative for a signal; None when it is running or was never started."""
        return self._popen.poll() if self._popen is not None else None

    @property
    def status_text(self) -> str:
        status = self.status
        if status is None:
            return "running"
        return f"signal {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"

    def start(self, launch: Launch) -> None:
        """Start it; it isn't ready yet. Raises StackError."""
        if self.pid is not None:
            raise StackError(f"{self.name} is already running.")
        try:
            with self._open_log() as log:
                self._popen = _popen(launch, log.fileno())
        except (OSError, subprocess.SubprocessError) as error:
            raise StackError(f"{self.name} can't be started: {error}.") from None
        if self._popen.stdin is not None:
            with suppress(BrokenPipeError), self._popen.stdin as pipe:
                pipe.write(launch.stdin)

    async def until(self, ready: Callable[[], Awaitable[bool]], seconds: float) -> None:
        """Wait until `ready`. Raises StackError, with the end of its log, if it dies or takes longer."""
        end = asyncio.get_running_loop().time() + seconds
        while not await ready():
            if self.status is not None:
                raise StackError(f"{self.name} ended ({self.status_text}) before it was ready{self.last_words()}")
            if asyncio.get_running_loop().time() > end:
                raise StackError(f"{self.name} wasn't ready after {seconds:g} s{self.last_words()}")
            await asyncio.sleep(0.02)

    async def ended(self, seconds: float = float("inf")) -> bool:
        """Wait until it has ended (at once if it isn't running); False when `seconds` weren't enough."""
        end = asyncio.get_running_loop().time() + seconds
        while self.pid is not None:
            if asyncio.get_running_loop().time() > end:
                return False
            await asyncio.sleep(0.05 if seconds == float("inf") else 0.01)
        return True

    async def stop(self, by: signal.Signals, seconds: float) -> None:
        """Ask it to end by a signal; kill it when it hasn't within `seconds`."""
        if self.pid is not None:
            os.kill(self.pid, by)
        if not await self.ended(seconds):
            self.kill()

    def kill(self) -> None:
        """Kill it and all that it started, at once; returns when it is dead."""
        pid = self.pid
        if self._popen is None or pid is None:
            return
        os.kill(pid, signal.SIGSTOP)
        for victim in (*procfs.descendants(pid), pid):
            with suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            self._popen.wait(_SECONDS_TO_DIE)

    def last_words(self) -> str:
        """The last lines that it logged since its start, for the end of a sentence."""
        try:
            with self.log.open("rb") as log:
                log.seek(max(self._log_from, log.seek(0, os.SEEK_END) - 4000))
                lines = log.read().decode("utf-8", "replace").splitlines()[-8:]
        except OSError:
            lines = []
        return f"; {self.log} ends with:\n" + "\n".join(f"  {line}" for line in lines) if lines else "."

    def _open_log(self) -> BinaryIO:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            if self.log.stat().st_size > _LOG_BYTES_KEPT:
                self.log.replace(self.log.with_name(self.log.name + ".1"))
        log = self.log.open("ab")
        self._log_from = log.tell()
        return log


def _popen(launch: Launch, log: int) -> subprocess.Popen[bytes]:
    """In a session of its own, so that the terminal's Ctrl-C reaches only whoever stops it in order."""
    account = launch.account
    return subprocess.Popen(
        launch.argv,
        cwd=launch.cwd,
        env=launch.env,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
        stdin=subprocess.PIPE if launch.stdin else subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        pass_fds=(launch.claim.descriptor,),
        preexec_fn=functools.partial(_die_with, os.getpid(), int(launch.orphaned)),
    )


def _die_with(parent: int, signal_number: int) -> None:
    """Runs in the child, after its change of account, which would undo it, and before its program."""
    if sys.platform == "linux":
        _libc.prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
