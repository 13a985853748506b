"""What all kinds of servers have in common as children: one lock, one process, one way to start and stop it.

Law: a start first waits for the processes of an earlier run, and a failed start leaves nothing running. The process
inherits the lock, so this one lets go of it after every start, and the lock is free when the server has ended.
"""

import signal
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from gameserver.stack.errors import StackError
from gameserver.stack.processes.lock import FolderLock
from gameserver.stack.processes.process import Process

_EARLIER_RUN_SECONDS = 15


@dataclass(eq=False, kw_only=True)
class ManagedServer(ABC):
    """A server and its process, which runs or doesn't; a subclass says how to check and start it."""

    name: str
    log: Path
    stop_seconds: float
    """How long it may take from the signal to stop until its end; then it is killed."""
    what: str = field(init=False)
    """Its kind and version, for people."""
    process: Process = field(init=False, repr=False)
    _lock: FolderLock = field(init=False, repr=False)
    _stop_signal: ClassVar[signal.Signals] = signal.SIGTERM

    def _manage(self, title: str, lock: Path) -> None:
        """Called once by each subclass: `title` names it in messages, `lock` is its lock file."""
        self.process = Process(title, self.log)
        self._lock = FolderLock(lock)

    @abstractmethod
    async def check(self) -> None:
        """Raises StackError if something prevents a start."""

    @abstractmethod
    async def _start_process(self) -> None:
        """Start the process and wait until it is ready; the lock is held. Raises StackError."""

    @property
    def _earlier_run_seconds(self) -> float:
        """How long the processes of an earlier run may take to end."""
        return _EARLIER_RUN_SECONDS

    async def wait_for_earlier_run(self) -> None:
        """Wait until the processes of an earlier run have ended, and take the lock. Raises StackError."""
        await self._lock.wait(self._earlier_run_seconds, self.process.name)

    async def start(self) -> None:
        """Start it and wait until it is ready. Raises StackError; it then isn't running.

        A start that is cancelled is cleaned up by `stop`.
        """
        if self.process.pid is not None:
            raise StackError(f"{self.process.name} is already running.")
        try:
            await self.wait_for_earlier_run()
            await self._start_process()
        except OSError as error:
            self.kill()
            raise StackError(f"{self.process.name} can't be started: {error}.") from error
        except Exception:
            self.kill()
            raise
        finally:
            self._lock.release()

    async def stop(self) -> None:
        """End it in its own orderly way, and kill it when that takes longer than `stop_seconds`."""
        await self.process.stop(self._stop_signal, self.stop_seconds)
        self._lock.release()

    def kill(self) -> None:
        """SIGKILL to it and its children, as when the machine fails."""
        self.process.kill()
