"""Switchovers amid a move of slots, of each database that has a part in it: nothing is lost, doubled or left over."""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from tests.cluster.fault_table import OF_THREE, OF_TWO, SLOWER, VICTIMS, Harm, measured, started_cluster
from tests.cluster.running_cluster import RunningCluster
from tests.cluster.swarm import Bots
from tests.support.wait import wait_until

pytestmark = [pytest.mark.soak, pytest.mark.timeout(400)]
CONTROL, SOURCE, TARGET = VICTIMS[0], OF_THREE, OF_TWO
MANY = 60
"""Slots of a move: it takes some seconds, so that a switchover comes amid it."""
OWNED = """select slot from slots where "group" = 'players' and database = $1 order by slot limit $2"""
AMID = """
select exists (
    select from moves join move_slots on move_slots.move = moves.id
    where moves.ended_at is null and move_slots.step = 'moved'
)
"""
OPEN = "select count(*) from moves where ended_at is null"


@pytest.fixture(scope="module")
def cluster() -> Iterator[RunningCluster]:
    with started_cluster() as run:
        yield run


@asynccontextmanager
async def moving(cluster: RunningCluster) -> AsyncIterator[None]:
    """The block runs amid a move. Then it is over, by the command or by a node that has taken it over."""
    async with cluster.superuser(CONTROL) as control:
        slots = ",".join(str(row["slot"]) for row in await control.fetch(OWNED, SOURCE, MANY))
        words = ("slots", "move", slots, "--to", TARGET, "--reason", "a test", "--config", str(cluster.config))
        output = (cluster.folder / "move.log").open("ab")
        with output:
            command = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "gameserver", *words, stdout=output, stderr=output
            )

        async def is_amid() -> bool:
            return bool(await control.fetchval(AMID))

        await wait_until(is_amid, 60, "some slots have moved")
    yield
    async with asyncio.timeout(120):
        await command.wait()
    await wait_until(lambda: none_is_open(cluster), 60, "no move is open")


async def none_is_open(cluster: RunningCluster) -> bool:
    async with cluster.superuser(CONTROL) as control:
        return not await control.fetchval(OPEN)


async def a_switchover_amid_a_move(cluster: RunningCluster, victim: str) -> None:
    async with moving(cluster):
        await cluster.switch(victim)
        await cluster.in_step(victim)


@pytest.mark.parametrize(
    ("victim", "most"), [(SOURCE, 10), (TARGET, 15), (CONTROL, 15)], ids=["source", "target", "control"]
)
@pytest.mark.parametrize("harm", [a_switchover_amid_a_move])
async def test_a_switchover_amid_a_move_loses_nothing(
    cluster: RunningCluster, bots: Bots, harm: Harm, victim: str, most: float
) -> None:
    row = await measured(cluster, bots, harm, victim)
    assert row.writes_after <= most * SLOWER
    assert row.others <= 2 * SLOWER, "the other databases go on"
    assert "internal" not in row.errors
    checked = await bots.command_line.gameserver("slots", "check", "--config", str(cluster.config))
    assert checked.code == 0, checked.text
