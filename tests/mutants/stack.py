"""The stack that runs a mutant: the copy of the server, started by its own `gameserver up` with data of its own."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import ClassVar

from tests.cluster.running_up import RunningUp, made
from tests.mutants.mutant import Mutant, plant
from tests.support.repository import ROOT

START_SECONDS = 120
STOP_SECONDS = 20
COMMAND_SECONDS = 60

LIMITS = """
[limits]
exempt = ["127.0.0.0/8", "::1/128"]
actions_per_player = {{ per_second = 5000, burst = 10000 }}
steady_actions_per_player = {{ per_minute = 300000, burst = 1000000 }}
frames_per_socket = {{ per_second = 10000, burst = 40000 }}
reads_per_player = {{ per_second = 5000, burst = 10000 }}
key_changes_per_player = {{ per_minute = 60000, burst = 10000 }}
list_changes_per_player = {{ per_minute = 60000, burst = 10000 }}
letters_per_sender = {{ per_minute = 60000, burst = 10000 }}
letters_per_pair = {{ per_minute = 60000, burst = 10000 }}
letters_per_recipient = {{ per_minute = 60000, burst = 10000 }}
"""
SLOTS = 128
"""Of the players, fewer than usual: all of a database's move within seconds."""
HEAD = (
    """
game = "game.toml"
[stack]
data = "var"
nodes = 2
[node]
host = "127.0.0.1"
port = {node}
[redis]
embedded = {{ port = {redis} }}
[control]
database = "one"
"""
    + LIMITS
)
TWO_DATABASES = (
    HEAD
    + """
[databases.one]
embedded = {{ port = {one} }}
[databases.two]
embedded = {{ port = {two} }}
[groups.accounts]
databases = ["one", "two"]
[groups.players]
databases = ["one", "two"]
slots = """
    + str(SLOTS)
)
REPLICATED = (
    HEAD
    + """
[databases.one]
embedded = {{ port = {one} }}
[[databases.one.replicas]]
embedded = {{ port = {replica} }}
[groups.accounts]
databases = ["one"]
[groups.players]
databases = ["one"]
"""
)
SLIME = "exp = 5\n"
RICH_SLIME = 'exp = 5\npoints = { dragons = 3 }\ndrops = [{ item = "potion", chance = 50, count = 1 }]\n'
"""Slimes score and drop, so that new players come to points and items at once."""


class MutantStack(RunningUp):
    """One folder with the copy, its settings and its data."""

    names: ClassVar = ("one", "two", "redis", "replica")

    def launch(self) -> subprocess.Popen[bytes]:
        words = [sys.executable, "-m", "gameserver", "up", "--config", str(self.config)]
        with (self.folder / "output").open("wb") as output:
            return subprocess.Popen(words, stdout=output, stderr=subprocess.STDOUT, cwd=self.folder, env=self._env())

    def _env(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(self.folder), "COLUMNS": "100"}

    @property
    def pid(self) -> int:
        """Of `up`."""
        assert self.popen is not None
        return self.popen.pid

    @property
    def urls(self) -> list[str]:
        """Each node's own, so that a player's requests go to both."""
        return [f"http://127.0.0.1:{self.port + number}" for number in (1, 2)]

    @property
    def operators(self) -> str:
        return f"http://127.0.0.1:{self.port + 1}"

    @property
    def admin_key(self) -> Path:
        return self.folder / "var" / "admin.key"

    async def command(self, *words: str, seconds: float = COMMAND_SECONDS) -> None:
        """A command of the copy; it is killed if it is cancelled. AssertionError if it fails; TimeoutError."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "gameserver", *words, "--config", str(self.config),
            cwd=self.folder, env=self._env(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            async with asyncio.timeout(seconds):
                output, _ = await process.communicate()
        except (TimeoutError, asyncio.CancelledError):
            process.kill()
            await process.wait()
            raise
        assert process.returncode == 0, f"gameserver {' '.join(words)}: {output.decode()}"

    async def stop(self) -> None:
        """As an operator does; what is still there afterwards is killed with the rest of the folder."""
        self.family = self._all()
        assert self.popen is not None
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                await asyncio.to_thread(self.popen.wait)


@contextmanager
def planted(mutant: Mutant) -> Iterator[MutantStack]:
    """Not started yet. Raises StalePatchError."""
    with made(MutantStack, REPLICATED if mutant.replicated else TWO_DATABASES, 2) as stack:
        plant(mutant, stack.folder)
        game = (ROOT / "config" / "game.toml").read_text("utf-8")
        assert game.count(SLIME) == 1
        (stack.folder / "game.toml").write_text(game.replace(SLIME, RICH_SLIME), "utf-8")
        yield stack
