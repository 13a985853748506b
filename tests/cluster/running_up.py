"""A `gameserver up` as a process tree that tests wait for, inspect and kill."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import ClassVar, TypeVar

from gameserver.stack.processes import process_table
from gameserver.stack.processes.ports import free_port
from tests.support.servers import GAME, roomy
from tests.support.wait import wait_until


class RunningUp:
    """One folder with its data, and the processes that run on it."""

    names: ClassVar[Sequence[str]] = ("one", "two", "replica", "redis", "players", "operators")
    """Of ports, besides `node`."""

    def __init__(self, folder: Path, settings: str, nodes: int) -> None:
        """`settings` is TOML whose ports are names in braces; `nodes` is how many have a port above that of `node`."""
        self.folder = folder
        self.port = free_port(nodes + 1)
        self.ports = {"node": self.port, **{name: free_port() for name in self.names}}
        self.config = folder / "local.toml"
        self.config.write_text(settings.format(game=GAME, **self.ports))
        self.popen: subprocess.Popen[bytes] | None = None
        self.family: list[int] = []

    def launch(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "gameserver", "up", "--config", str(self.config)]
        with (self.folder / "output").open("wb") as output:
            return subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)

    async def start(self, seconds: float = 60) -> None:
        self.popen = self.launch()
        await wait_until(lambda: self.ended() or "Ctrl-C" in self.output(), seconds, "everything is up")
        assert not self.ended(), self.output()
        self.family = self._all()

    def output(self) -> str:
        return (self.folder / "output").read_text("utf-8")

    def ended(self) -> bool:
        return self.popen is None or self.popen.poll() is not None

    def kill(self) -> None:
        """Every process at once, as when the machine loses its power."""
        self.family = self.family if self.ended() else self._all()
        for pid in self.family:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self.popen is not None:
            self.popen.wait()

    def _all(self) -> list[int]:
        return [self.popen.pid, *process_table.descendants(self.popen.pid)] if self.popen is not None else []

    def alive(self) -> list[str]:
        return [command for pid in self.family if (command := process_table.command_line(pid))]


Up = TypeVar("Up", bound=RunningUp)


@contextmanager
def prepared(settings: str, nodes: int) -> Iterator[RunningUp]:
    """Not started yet; every process is dead when the block is over."""
    with made(RunningUp, settings, nodes) as run:
        yield run


@contextmanager
def made(kind: type[Up], settings: str, nodes: int) -> Iterator[Up]:
    """The same for a class of its own."""
    folder = Path(tempfile.mkdtemp(prefix="gameserver-up-", dir=roomy()))
    folder.chmod(0o755)
    run = kind(folder, settings, nodes)
    try:
        yield run
    finally:
        run.kill()
        shutil.rmtree(folder)
