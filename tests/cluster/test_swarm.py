"""The swarm against real nodes: its report on a node that goes, and misbehaving clients that disturb no other."""

import asyncio
import os
import re
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from gameserver.config.settings import Settings
from gameserver.stack.servers.node import NodeProcess
from tests.support.client import Api
from tests.support.nodes import node_process
from tests.support.servers import roomy
from tests.support.wait import wait_until

PLAYERS = 24
SAW_ERRORS = 3


@dataclass
class BotsOutput:
    """How a command of the bots ended: its exit code, its output, its report."""

    code: int | None
    output: str
    report: Any


@pytest.fixture
async def nodes(settings: Settings) -> AsyncIterator[list[NodeProcess]]:
    """Two nodes as processes."""
    with tempfile.TemporaryDirectory(dir=roomy()) as folder:
        both = [node_process(settings, Path(folder), f"node-{number}") for number in (1, 2)]
        for node in both:
            await node.start()
        yield both
        for node in both:
            node.kill()


async def bots(nodes: Sequence[NodeProcess], *words: str, meanwhile: Callable[[], Awaitable[object]]) -> BotsOutput:
    """Runs a command of the bots against the nodes; `meanwhile` happens beside it."""
    urls = [word for node in nodes for word in ("--url", node.address)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bots", *words, *urls, "--json", "-",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    communicating = asyncio.create_task(process.communicate())
    try:
        await meanwhile()
        report, output = await asyncio.wait_for(communicating, 60)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return BotsOutput(process.returncode, output.decode(), orjson.loads(report) if report else None)


def run(seconds: int) -> tuple[str, ...]:
    return "run", "--players", str(PLAYERS), "--sockets", "1", "--seconds", str(seconds), "--fail-on-error"


async def open_sockets(node: NodeProcess) -> int:
    async with Api(node.address) as api:
        metrics = (await api.ask("GET", "/metrics")).body
    line = re.search(rb"^gameserver_sockets (\S+)$", metrics, re.MULTILINE)
    return int(float(line[1])) if line else 0


async def has_sockets(nodes: Sequence[NodeProcess]) -> None:
    async def all_play() -> bool:
        return sum([await open_sockets(node) for node in nodes]) == PLAYERS

    await wait_until(all_play, 20, "everybody plays")


def send(node: NodeProcess, number: signal.Signals) -> None:
    assert node.process.pid is not None
    os.kill(node.process.pid, number)


async def test_a_swarm_that_nothing_disturbs_sees_no_error(nodes: list[NodeProcess]) -> None:
    outcome = await bots(nodes, *run(2), meanwhile=lambda: has_sockets(nodes))
    assert outcome.code == 0, outcome.output
    assert (outcome.report["saw_no_error"], outcome.report["interruptions"], outcome.report["proof"]["pushes"]) == (
        True,
        {},
        0,
    )
    assert sum(attempts for _, attempts, _ in outcome.report["connections"]["first"]) == PLAYERS


async def test_players_whose_node_is_killed_come_back_and_the_report_says_after_how_long(
    nodes: list[NodeProcess],
) -> None:
    async def kill() -> None:
        await has_sockets(nodes)
        nodes[0].kill()

    outcome = await bots(nodes, *run(6), meanwhile=kill)
    assert outcome.code == SAW_ERRORS, outcome.output
    assert outcome.report["ok"] is True
    assert outcome.report["interruptions"]["lost"]["count"] >= 1
    assert "worst second" in outcome.output
    again = outcome.report["connections"]["again"]
    assert sum(successes for *_, successes in again) == outcome.report["happened"]["reconnects"]


async def test_every_socket_that_is_sent_away_has_moved_and_resumed_before_it_is_closed(
    nodes: list[NodeProcess],
) -> None:
    async def stop() -> None:
        await has_sockets(nodes)
        send(nodes[0], signal.SIGTERM)

    outcome = await bots(nodes, *run(6), meanwhile=stop)
    happened = outcome.report["happened"]
    assert outcome.report["ok"] is True, outcome.output
    assert happened["going_away"] >= 1
    assert (outcome.report["going_away_heeded"], happened.get("closed before the move", 0)) == (
        happened["going_away"],
        0,
    )
    assert "going_away" not in outcome.report["interruptions"], "no player was without a socket"
    assert happened["resumed"] >= 1


async def test_misbehaving_clients_do_not_disturb_an_honest_one(nodes: list[NodeProcess]) -> None:
    words = ("misbehave", "mute", "resume", "--seconds", "6")
    outcome = await bots(nodes[:1], *words, meanwhile=lambda: asyncio.sleep(0))
    assert outcome.code == 0, outcome.output
    assert [incident["kind"] for incident in outcome.report] == ["alone", "mute", "resume"]
    assert all(incident["harmless"] for incident in outcome.report)
    assert outcome.report[2]["heard"]["another's: resumed false"] == 1
