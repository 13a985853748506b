"""A child process: started with a log file, watched until it is ready, stopped within a deadline.

Law: it doesn't outlive the process that started it. When that one dies, also by SIGKILL, the kernel sends the child
the signal that its launch names. (Linux only. The kernel means the *thread* that started it: use one that lives on.)
Only this class reaps the child, in the thread of the event loop; waiting for its end costs one file descriptor.
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

from gameserver.stack.errors import StackError
from gameserver.stack.processes import process_table
from gameserver.stack.processes.account import Account
from gameserver.stack.processes.lock import FolderLock
from gameserver.stack.processes.log_file import LogFile

_PR_SET_PDEATHSIG = 1
_KILL_SECONDS = 5
_READY_POLL_SECONDS = 0.02
_END_POLL_SECONDS = 0.05
_libc = ctypes.CDLL(None)


@dataclass(frozen=True)
class Launch:
    """How a process is started."""

    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str]
    lock: FolderLock
    """Inherited by the process; the caller releases its own hold."""
    orphaned: signal.Signals
    """The signal that it gets when the process that started it dies."""
    account: Account | None = None
    """The account that it runs as; None for the account of this process."""
    stdin: bytes = b""
    """At most what a pipe holds, 64 KiB."""


class Process:
    """One process at a time under one name, and its log, to which each start appends."""

    def __init__(self, name: str, log: Path) -> None:
        self.name = name
        self.log = log
        self._log_file = LogFile(log)
        self._popen: subprocess.Popen[bytes] | None = None
        self._beside: list[Process] = []

    @property
    def pid(self) -> int | None:
        """None when it isn't running."""
        return self._popen.pid if self._popen is not None and self._popen.poll() is None else None

    @property
    def awaited_pids(self) -> set[int]:
        """Of what it and those `beside` it have started, and of whose end it hasn't learned: nobody else may reap."""
        own = {self._popen.pid} if self._popen is not None and self._popen.returncode is None else set()
        return own.union(*(process.awaited_pids for process in self._beside))

    def beside(self, name: str) -> "Process":
        """Another process with the same log, which prepares something for this one."""
        self._beside.append(process := Process(name, self.log))
        return process

    @property
    def status(self) -> int | None:
        """The exit status, negative for a signal; None when it is running or was never started."""
        return self._popen.poll() if self._popen is not None else None

    @property
    def status_text(self) -> str:
        """The status in words, such as `exit status 1` or `signal SIGKILL`."""
        status = self.status
        if status is None:
            return "running"
        return f"signal {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"

    def start(self, launch: Launch) -> None:
        """Start it, without waiting until it is ready. Raises StackError."""
        if self.pid is not None:
            raise StackError(f"{self.name} is already running.")
        try:
            with self._log_file.open() as log:
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
            await asyncio.sleep(_READY_POLL_SECONDS)

    async def ended(self, seconds: float | None = None) -> bool:
        """Wait until it has ended (at once if it isn't running); False if it still runs after `seconds`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while (pid := self.pid) is not None:
                    await _exit_of(pid)
        return self.pid is None

    async def stop(self, by: signal.Signals, seconds: float) -> None:
        """Send it the signal `by`, and kill it when it still runs after `seconds`."""
        if self.pid is not None:
            os.kill(self.pid, by)
        if not await self.ended(seconds):
            self.kill()

    def kill(self) -> None:
        """Kill it and everything that it started; returns when it is dead."""
        pid = self.pid
        if self._popen is None or pid is None:
            return
        # Stopped first, so that it starts no further children while these are listed.
        with suppress(ProcessLookupError):  # it has died since
            os.kill(pid, signal.SIGSTOP)
        for victim in (*process_table.descendants(pid), pid):
            with suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            self._popen.wait(_KILL_SECONDS)

    def last_words(self) -> str:
        """The last lines that it logged since its start, to append to a sentence."""
        return self._log_file.last_words()

    def rotate_log(self) -> None:
        """Makes room if its log has grown large. Blocks while up to 16 MiB are copied; never raises."""
        self._log_file.rotate()


async def _exit_of(pid: int) -> None:
    """Wait until a child has exited; where the kernel has no pidfd (before Linux 5.3), for a moment only."""
    try:
        descriptor = os.pidfd_open(pid)
    except (AttributeError, OSError):
        await asyncio.sleep(_END_POLL_SECONDS)
        return
    loop, exited = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(descriptor, exited.set)
    try:
        await exited.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def _popen(launch: Launch, log: int) -> subprocess.Popen[bytes]:
    """In a session of its own, so that the terminal's Ctrl-C reaches only the supervisor, which stops it in order."""
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
        pass_fds=(launch.lock.descriptor,),
        preexec_fn=functools.partial(_die_with, os.getpid(), int(launch.orphaned)),
    )


def _die_with(parent: int, signal_number: int) -> None:
    """Runs in the child, before its program, and after its change of account, which would undo this."""
    if sys.platform == "linux":
        _libc.prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
