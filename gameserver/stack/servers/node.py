"""A node as a child process; it is ready when it has made its ready file.

Several nodes listen on one port (SO_REUSEPORT), so an answer on that port wouldn't say which of them is ready.
"""

import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gameserver.stack.processes import ports
from gameserver.stack.processes.process import Launch
from gameserver.stack.servers.managed import ManagedServer

READY_FILE = "GAMESERVER_READY_FILE"
"""The environment variable that names the file which a node makes when it is ready."""
_READY_SECONDS = 60
_EARLIER_RUN_MARGIN_SECONDS = 5


@dataclass(eq=False, kw_only=True)
class NodeProcess(ManagedServer):
    """One node: its command, and the process that runs it."""

    argv: Sequence[str]
    host: str
    port: int
    run: Path
    """The folder for its ready file and its lock."""
    apart: Mapping[tuple[str, int], str] = field(default_factory=dict)
    """Host and port of what it listens on besides, each with the setting that chooses it."""
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Added to the environment of this process."""
    stop_seconds: float = 20
    what: str = field(default="node", init=False)

    def __post_init__(self) -> None:
        self._manage(f"Node {self.name}", self.run / f"{self.name}.lock")
        self.ready_file = self.run / f"{self.name}.ready"

    @property
    def address(self) -> str:
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    @property
    def _earlier_run_seconds(self) -> float:
        return self.stop_seconds + _EARLIER_RUN_MARGIN_SECONDS

    async def check(self) -> None:
        """Raises StackError if a port is taken; to be called before the first of the nodes that share it starts."""
        for (host, port), setting in {(self.host, self.port): "node.port", **self.apart}.items():
            ports.require_free(host, port, setting)

    async def _start_process(self) -> None:
        self.ready_file.unlink(missing_ok=True)
        added = {"PYTHONUNBUFFERED": "1", READY_FILE: str(self.ready_file)}
        launch = Launch(
            argv=tuple(self.argv),
            cwd=Path.cwd(),
            env={**os.environ, **self.env, **added},
            lock=self._lock,
            orphaned=signal.SIGTERM,
        )
        self.process.start(launch)
        await self.process.until(self._is_ready, _READY_SECONDS)

    async def _is_ready(self) -> bool:
        return self.ready_file.exists()
