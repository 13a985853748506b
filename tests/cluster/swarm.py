"""Swarms of bots that tests let play on nodes."""

import asyncio
import os
import re
import signal
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import orjson

from tests.support.client import ADMIN_KEY, Api
from tests.support.command_line import CommandLine
from tests.support.wait import wait_until

PLAYERS = 24
LONGEST = 60
"""Seconds that bots play at the most."""
PROOF_SECONDS = 180
"""Within which they have proved the result: more than a minute where thirty processes want two cores."""


class Door(Protocol):
    """A node, or what stands in front of nodes."""

    @property
    def address(self) -> str:
        """Its URL."""


@dataclass(frozen=True)
class BotsOutput:
    """How a command of the bots ended: its exit code, its output, its report."""

    code: int
    output: str
    report: Any


@dataclass(frozen=True)
class Bots:
    """Runs commands of the bots."""

    command_line: CommandLine

    async def run(self, nodes: Sequence[Door], *words: str) -> BotsOutput:
        """A command against the nodes, until it ends by itself."""
        return await self.play(nodes, *words, until=None)

    async def play(
        self, nodes: Sequence[Door], *words: str, until: Callable[[], Awaitable[object]] | None
    ) -> BotsOutput:
        """A command against the nodes. Once `until` has returned they play no more, and prove the result."""
        urls = [word for node in nodes for word in ("--url", node.address)]
        async with self.command_line.running("bots.__main__", *words, *urls, "--json", "-") as command:
            if until is not None:
                await until()
                with suppress(ProcessLookupError):  # they end by themselves where they find a fault: they say which
                    os.kill(command.pid, signal.SIGTERM)
            async with asyncio.timeout(PROOF_SECONDS):
                done = await command.end()
        return BotsOutput(done.code, done.errors, orjson.loads(done.out) if done.out else None)


def key_in(folder: Path, key: str = ADMIN_KEY) -> tuple[str, str]:
    """The option of a file in this folder that holds an admin key."""
    file = folder / "admin.key"
    file.write_text(key, "utf-8")
    return "--admin-key-file", str(file)


RUN = ("run", "--players", str(PLAYERS), "--sockets", "1", "--seconds", str(LONGEST), "--fail-on-error")


async def metric(node: Door, name: str) -> float:
    """The sum over all labels."""
    async with Api(node.address) as api:
        metrics = (await api.ask("GET", "/metrics")).body
    return sum(float(value) for value in re.findall(rb"^%s(?:\{.*\})? (\S+)$" % name.encode(), metrics, re.MULTILINE))


async def has_sockets(nodes: Sequence[Door]) -> None:
    async def all_play() -> bool:
        return sum([await metric(node, "gameserver_sockets") for node in nodes]) == PLAYERS

    await wait_until(all_play, 40, "everybody plays")


async def has_acted(nodes: Sequence[Door], times: int = 10) -> None:
    """Waits until the players of these nodes have together acted so many times each."""

    async def acted() -> float:
        return sum([await metric(node, "gameserver_commands_total") for node in nodes])

    before = await acted()

    async def have_acted() -> bool:
        return await acted() >= before + times * PLAYERS

    await wait_until(have_acted, 40, "the players act")
