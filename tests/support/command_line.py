"""The command lines of the product, as operators use them, without the second that Python needs to import them."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.repository import ROOT

MODULES = ("gameserver.__main__", "bots.__main__", "tests.storage.sharding.killed_mover")
WIDTH = 80


@dataclass(frozen=True)
class CommandOutput:
    """What a command printed, and its exit code; negative: the signal that ended it."""

    code: int
    out: str
    errors: str

    @property
    def text(self) -> str:
        return self.out + self.errors


@dataclass(frozen=True)
class RunningCommand:
    """A command as a process of its own."""

    pid: int
    _reader: asyncio.StreamReader

    async def end(self) -> CommandOutput:
        """Waits for its end."""
        return CommandOutput(*json.loads(await self._reader.read()))


@dataclass(frozen=True)
class CommandLine:
    """Runs commands at 80 columns; several at once if need be."""

    socket: Path

    async def gameserver(self, *words: str) -> CommandOutput:
        async with self.running("gameserver.__main__", *words) as command:
            return await command.end()

    @asynccontextmanager
    async def running(self, module: str, *arguments: str) -> AsyncIterator[RunningCommand]:
        """A module as a command; it is killed if it goes on when the block is over."""
        reader, writer = await asyncio.open_unix_connection(self.socket)
        writer.write(json.dumps([module, arguments]).encode() + b"\n")
        command = RunningCommand(int(await reader.readline()), reader)
        try:
            yield command
        finally:
            if not reader.at_eof():
                os.kill(command.pid, signal.SIGKILL)
            writer.close()


@contextmanager
def running_command_line(modules: Sequence[str] = MODULES) -> Iterator[CommandLine]:
    with tempfile.TemporaryDirectory(prefix="gameserver-forks-") as folder:
        path = Path(folder) / "socket"
        server = subprocess.Popen(
            [sys.executable, "-m", "tests.support.forks", str(path), *modules],
            cwd=ROOT, env={**os.environ, "COLUMNS": str(WIDTH)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert server.stdin is not None
        assert server.stdout is not None
        with server:
            assert server.stdout.readline() == b"ready\n"
            yield CommandLine(path)
            server.stdin.close()
