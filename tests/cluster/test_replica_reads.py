"""What bots read by token is never stale: under load, while a replica stops showing anything new, freezes and dies."""

import asyncio
import os
import random
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import pytest

from bots.play.bot import AGES
from gameserver.config.settings import Settings
from gameserver.stack.servers.node import NodeProcess
from gameserver.stack.servers.replica import PostgresReplica
from tests.cluster.swarm import RUN, Bots, has_sockets, metric
from tests.support.freezing import frozen
from tests.support.nodes import node_process
from tests.support.replicas import paused, standing_replica, url_of, with_replica
from tests.support.servers import Servers, roomy
from tests.support.wait import wait_until

LONG = 3600
"""A replica that shows nothing new is asked for so long: only versions tell then."""
SECONDS = min(240.0, float(os.environ.get("DURATION", "240")))
SEED = int(os.environ.get("SEED", "1"))
MANY = ("run", "--players", "100", "--sockets", "0.5", "--rate", "10", "--seconds", "600")


@pytest.fixture(scope="module")
def replica(servers: Servers) -> Iterator[PostgresReplica]:
    """Of database `one`."""
    with standing_replica(servers) as standing:
        yield standing


@pytest.fixture
async def nodes(settings: Settings, replica: PostgresReplica) -> AsyncIterator[list[NodeProcess]]:
    """Two nodes as processes, whose database `one` has the replica."""
    replicated = with_replica(settings, url_of(replica, settings), max_staleness_seconds=LONG)
    with tempfile.TemporaryDirectory(dir=roomy()) as folder:
        both = [node_process(replicated, Path(folder), f"node-{number}") for number in (1, 2)]
        for node in both:
            await node.start()
        yield both
        for node in both:
            node.kill()


async def read_from(nodes: Sequence[NodeProcess], source: str, times: int = 5) -> None:
    """Waits until so many more players have been read from this source."""
    name = rf'gameserver_player_reads_total\{{source="{source}"\}}'

    async def count() -> float:
        return sum([await metric(node, name) for node in nodes])

    before = await count()

    async def have_read() -> bool:
        return await count() >= before + times

    await wait_until(have_read, 40, f"players are read from: {source}")


async def test_what_bots_read_is_never_stale_while_the_replica_shows_nothing_new(
    bots: Bots, nodes: list[NodeProcess], replica: PostgresReplica
) -> None:
    async def stops_and_goes_on() -> None:
        await has_sockets(nodes)
        for _ in range(2):
            await read_from(nodes, "replica")
            async with paused(replica):
                await read_from(nodes, "primary instead")
                # What the replica shows is by then older than any read by age allows.
                await asyncio.sleep(max(AGES) + 1)
                await read_from(nodes, "primary")
        await read_from(nodes, "replica")

    outcome = await bots.play(nodes, *RUN, until=stops_and_goes_on)
    assert outcome.code == 0, outcome.output
    assert outcome.report["happened"]["read by token"] > 0
    assert outcome.report["happened"]["read by age"] > 0


@pytest.mark.soak
@pytest.mark.timeout(0)
async def test_what_bots_read_by_token_is_never_stale_whatever_befalls_the_replica(
    bots: Bots, nodes: list[NodeProcess], replica: PostgresReplica
) -> None:
    dice = random.Random(SEED)

    async def pause() -> None:
        async with paused(replica):
            await asyncio.sleep(dice.uniform(0.1, 4))

    async def freeze() -> None:
        with frozen(replica):
            await asyncio.sleep(dice.uniform(0.1, 8))

    async def kill() -> None:
        replica.kill()
        await asyncio.sleep(dice.uniform(0.1, 4))
        await replica.start()

    async def disturb() -> None:
        await read_from(nodes, "replica")
        ends = asyncio.get_running_loop().time() + SECONDS
        while asyncio.get_running_loop().time() < ends:
            await dice.choice((pause, freeze, kill))()
            await asyncio.sleep(dice.uniform(0, 2))
        await read_from(nodes, "replica")

    outcome = await bots.play(nodes, *MANY, until=disturb)
    assert outcome.report["ok"], (SEED, outcome.output)
