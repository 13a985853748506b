"""The command lines of the product, as operators use them, without the second that Python needs to import them."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.repository import ROOT

MODULES = ("gameserver.__main__", "bots.__main__", "tests.storage.sharding.killed_mover", "tests.support.warmed")
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


class CommandLine:
    """Runs commands at 80 columns; several at once if need be."""

    async def gameserver(self, *words: str) -> CommandOutput:
        async with self.running("gameserver.__main__", *words) as command:
            return await command.end()

    @asynccontextmanager
    async def running(self, module: str, *arguments: str) -> AsyncIterator[RunningCommand]:
        """A module as a command; it is killed if it goes on when the block is over."""
        reader, writer = await asyncio.open_unix_connection(WARM.socket)
        writer.write(json.dumps([module, arguments]).encode() + b"\n")
        command = RunningCommand(int(await reader.readline()), reader)
        try:
            yield command
        finally:
            if not reader.at_eof():
                os.kill(command.pid, signal.SIGKILL)
            writer.close()


class Warm:
    """The process that commands and nodes are forked from: started when the first of them is, once for a whole run."""

    def __init__(self) -> None:
        self._server: subprocess.Popen[bytes] | None = None
        self._folder = Path()

    @property
    def socket(self) -> Path:
        if self._server is None:
            self._folder = Path(tempfile.mkdtemp(prefix="gameserver-forks-"))
            self._server = subprocess.Popen(
                [sys.executable, "-m", "tests.support.forks", str(self._folder / "socket"), *MODULES],
                cwd=ROOT, env={**os.environ, "COLUMNS": str(WIDTH)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            )  # fmt: skip
            assert self._server.stdout is not None
            assert self._server.stdout.readline() == b"ready\n"
        return self._folder / "socket"

    def end(self) -> None:
        if self._server is not None:
            self._server.communicate()
            self._server = None
            shutil.rmtree(self._folder)


WARM = Warm()
