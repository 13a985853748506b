"""Real processes are killed while bots play and prove: nothing lost, nothing doubled, boards equal to the database."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import ClientError

from gameserver.stack.processes.child import Child
from gameserver.stack.servers.node import NodeProcess
from tests.cluster.swarm import LONGEST, PLAYERS, Bots, has_acted, key_in
from tests.support.client import Api, command_id
from tests.support.nodes import node_process
from tests.support.servers import Servers, standing_servers
from tests.support.wait import wait_until

PROVED = ("run", "--players", str(PLAYERS), "--seconds", str(LONGEST))
FROZEN_SECONDS = 4
"""Longer than Postgres lets a silent node keep its locks."""


@dataclass
class Cluster:
    """Two nodes on servers of their own."""

    servers: Servers
    nodes: list[NodeProcess]
    bots: Bots
    key: Sequence[str]
    """The option of the admin key."""

    async def bots_prove(self, disturb: Callable[[], Awaitable[None]]) -> None:
        """Bots play before, while and after `disturb` runs; they must prove that nothing was lost or doubled."""

        async def disturbed() -> None:
            await has_acted(self.nodes)
            await disturb()
            await has_acted(self.nodes)

        done = await self.bots.play(self.nodes, *PROVED, *self.key, until=disturbed)
        assert done.code == 0, done.output
        assert "PROVED" in done.output
        assert done.report["ok"] is True


@pytest.fixture(scope="module")
def own_servers() -> Iterator[Servers]:
    """Servers that these tests may kill."""
    with standing_servers() as standing:
        yield standing


@pytest.fixture
async def cluster(own_servers: Servers, bots: Bots, tmp_path: Path) -> AsyncIterator[Cluster]:
    settings = own_servers.settings(await own_servers.fresh())
    nodes = [node_process(settings, tmp_path, f"node-{number}") for number in (1, 2)]
    try:
        for node in nodes:
            await node.start()
        yield Cluster(own_servers, nodes, bots, key_in(tmp_path))
    finally:
        for node in nodes:
            await node.stop()


async def kill_and_restart(child: Child) -> None:
    child.kill()
    await child.start()


async def test_a_killed_node_loses_and_doubles_nothing(cluster: Cluster) -> None:
    await cluster.bots_prove(lambda: kill_and_restart(cluster.nodes[0]))


async def test_a_killed_redis_loses_and_doubles_nothing(cluster: Cluster) -> None:
    await cluster.bots_prove(lambda: kill_and_restart(cluster.servers.redis))


async def test_a_killed_postgres_loses_and_doubles_nothing(cluster: Cluster) -> None:
    await cluster.bots_prove(lambda: kill_and_restart(cluster.servers.postgres["two"]))


async def test_a_frozen_node_loses_and_doubles_nothing(cluster: Cluster) -> None:
    async def freeze() -> None:
        pid = cluster.nodes[0].process.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(FROZEN_SECONDS)
        os.kill(pid, signal.SIGCONT)

    await cluster.bots_prove(freeze)


async def test_a_node_that_is_told_to_stop_ends_well_and_what_it_answered_is_kept(cluster: Cluster) -> None:
    node, other = cluster.nodes
    pid = node.process.pid
    assert pid is not None
    async with Api(node.address) as api, Api(other.address) as elsewhere:
        players = [await api.sign_up() for _ in range(5)]
        keys = [command_id() for _ in players]
        acting = [asyncio.create_task(api.act(player, key=key)) for player, key in zip(players, keys, strict=True)]
        await asyncio.sleep(0)
        os.kill(pid, signal.SIGTERM)
        answers = await asyncio.gather(*acting, return_exceptions=True)
        await wait_until(lambda: node.process.status is not None, what="the node has ended")
        assert node.process.status == 0
        for player, key, answer in zip(players, keys, answers, strict=True):
            again = await elsewhere.act(player, key=key)
            assert again.status == 200
            if isinstance(answer, BaseException):  # the node closed the connection before it had read the request
                assert isinstance(answer, ClientError)
            else:
                assert again.body == {**answer.body, "replayed": True}
