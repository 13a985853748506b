"""A node as a child process; it is ready when it has made the file that it was told of.

Several nodes listen on one port (SO_REUSEPORT), so an answer on that port wouldn't say whose it is.
"""

import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gameserver.stack.errors import StackError
from gameserver.stack.processes import ports
from gameserver.stack.processes.lock import FolderLock
from gameserver.stack.processes.process import Launch, Process

READY_FILE = "GAMESERVER_READY_FILE"
"""The environment variable that names the file which a node makes when it is ready."""
_READY_SECONDS = 60


@dataclass(eq=False, kw_only=True)
class NodeProcess:
    """One node: its command, and the process that runs it, if one does."""

    name: str
    argv: Sequence[str]
    host: str
    port: int
    run: Path
    """The folder for its ready file and its lock."""
    log: Path
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Added to the environment of this process."""
    stop_seconds: float = 20
    """How long it may drain."""
    what: str = field(default="node", init=False)
    process: Process = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.process = Process(f"Node {self.name}", self.log)
        self.ready_file = self.run / f"{self.name}.ready"
        self._claim = FolderLock(self.run / f"{self.name}.lock")

    @property
    def address(self) -> str:
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    async def claim(self) -> None:
        """Wait until the node of an earlier run has drained. Raises StackError."""
        await self._claim.wait(self.stop_seconds + 5, self.process.name)

    async def check(self) -> None:
        """Raises StackError if the port is taken: ask before the first node of that port starts."""
        ports.require_free(self.host, self.port, "node.port")

    async def start(self) -> None:
        """Start it and wait until it is ready. Raises StackError; it then isn't running.

        A start that is cancelled leaves it to `stop`.
        """
        if self.process.pid is not None:
            raise StackError(f"{self.process.name} is already running.")
        try:
            await self.claim()
            self.ready_file.unlink(missing_ok=True)
            self.process.start(self._launch())
            await self.process.until(self._is_ready, _READY_SECONDS)
        except Exception:
            self.kill()
            raise
        finally:
            self._claim.release()

    async def stop(self) -> None:
        """Let it drain, and kill it when that takes longer than `stop_seconds`."""
        await self.process.stop(signal.SIGTERM, self.stop_seconds)
        self._claim.release()

    def kill(self) -> None:
        """SIGKILL, as when the machine fails."""
        self.process.kill()

    def _launch(self) -> Launch:
        told = {"PYTHONUNBUFFERED": "1", READY_FILE: str(self.ready_file)}
        return Launch(
            argv=tuple(self.argv),
            cwd=Path.cwd(),
            env={**os.environ, **self.env, **told},
            claim=self._claim,
            orphaned=signal.SIGTERM,
        )

    async def _is_ready(self) -> bool:
        return self.ready_file.exists()
