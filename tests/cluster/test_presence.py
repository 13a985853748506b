"""Connected players when nodes die or freeze: their leases end, and no player misses a change for good."""

import os
import signal
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gameserver.config.settings import Settings
from gameserver.stack.servers.node import NodeProcess
from gameserver.storage.live.presence import LEASE_SECONDS
from tests.support.client import Api
from tests.support.nodes import node_process
from tests.support.servers import roomy
from tests.support.wait import wait_until

SOON = LEASE_SECONDS + 10


@pytest.fixture
async def nodes(settings: Settings) -> AsyncIterator[list[NodeProcess]]:
    with tempfile.TemporaryDirectory(dir=roomy()) as folder:
        both = [node_process(settings, Path(folder), name) for name in ("node-1", "node-2")]
        for node in both:
            await node.start()
        yield both
        for node in both:
            node.kill()


async def connected_players(api: Api) -> list[int]:
    """How many players are connected to each living node."""
    answer: dict[str, Any] = (await api.admin("nodes")).body
    return sorted(node["players"] for node in answer["nodes"])


async def sees(api: Api, expected: list[int]) -> bool:
    return await connected_players(api) == expected


async def test_a_killed_nodes_players_are_gone_within_its_lease(nodes: list[NodeProcess]) -> None:
    async with Api(nodes[0].address) as dying, Api(nodes[1].address) as living:
        sockets = [await dying.socket((await dying.sign_up()).token) for _ in range(4)]
        sockets.append(await living.socket((await living.sign_up()).token))
        await wait_until(lambda: sees(living, [1, 4]), what="all five are there")
        nodes[0].kill()
        await wait_until(lambda: sees(living, [1]), SOON, "only the living node's player is there")


async def test_a_frozen_nodes_players_are_gone_and_come_back_with_it_and_are_told_what_they_missed(
    nodes: list[NodeProcess],
) -> None:
    async with Api(nodes[0].address) as freezing, Api(nodes[1].address) as living:
        player = await freezing.sign_up()
        connected = await freezing.socket(player.token)
        await wait_until(lambda: sees(living, [0, 1]), what="the player is there")
        assert nodes[0].process.pid is not None
        os.kill(nodes[0].process.pid, signal.SIGSTOP)
        await wait_until(lambda: sees(living, [0]), SOON, "the player is gone with its node")
        acted = await living.act(player)
        os.kill(nodes[0].process.pid, signal.SIGCONT)
        await wait_until(lambda: sees(living, [0, 1]), SOON, "the player is back with its node")
        push = await connected.connection.receive_json(timeout=10)
        assert (push["push"], push["data"]) == ("player", acted.body["player"])
