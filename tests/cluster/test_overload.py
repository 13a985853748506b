"""Twice what a door can take: its answers stay in time or say when to come back, and what it acknowledged holds."""

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gameserver.config.settings import Settings
from gameserver.stack.servers.node import NodeProcess
from tests.cluster.swarm import Bots
from tests.support.nodes import node_process
from tests.support.servers import roomy

DOORS = "sign-up,sign-in,act-http,act-socket,read"
PROVED, FAILED, VOID = 0, 1, 2


@pytest.fixture
async def node(settings: Settings) -> AsyncIterator[NodeProcess]:
    """A node with few places at the entrance, so that a short load fills them."""
    with tempfile.TemporaryDirectory(dir=roomy()) as folder:
        process = node_process(settings, Path(folder), "node-1")
        with (Path(folder) / "node-1.toml").open("a") as config:
            config.write("[accounts]\nunder_way = 16\n")
        await process.start()
        yield process
        process.kill()


async def test_overloaded_doors_keep_their_promises(bots: Bots, node: NodeProcess) -> None:
    """On a busy machine the load may not become twice what the door takes, which the command says (2)."""
    words = ("--seconds", "0.5", "--capacity-seconds", "0.3", "--players", "24", "--connections", "400")
    outcome = await bots.run([node], "overload", "--door", DOORS, "--operators-url", node.address, *words)
    assert outcome.code in (PROVED, VOID), outcome.output
    report = outcome.report
    assert [door["door"] for door in report["doors"]] == DOORS.split(",")
    assert not [fault for door in report["doors"] for fault in door["faults"]]
    assert report["doors"][0]["codes"].keys() <= {"503 overloaded"}
    assert report["memory"][0]["bounded"]
    assert report["state"]["acts"] > 0
    assert report["state"]["sign_ups"] > 0
    assert report["state"]["faults"] == []
