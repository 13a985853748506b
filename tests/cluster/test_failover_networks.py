"""Lines that are cut under the bots, between machines: no two primaries acknowledge, and nothing is lost or doubled."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import pytest

from tests.cluster.fault_table import HANGS_SECONDS, SLOWER, Harm, measured
from tests.cluster.running_cluster import START_SECONDS, RunningCluster
from tests.cluster.running_machines import APART, RunningMachines, three_machines
from tests.cluster.swarm import Bots

pytestmark = [pytest.mark.soak, pytest.mark.timeout(400)]
CUT_SECONDS = 15
"""Shorter than the lease of a primary."""
LEASE = 25


@pytest.fixture(scope="module")
def cluster() -> Iterator[RunningMachines]:
    with three_machines() as run:
        asyncio.run(start(run))
        yield run


async def start(run: RunningMachines) -> None:
    await run.start_machines()
    await run.start(START_SECONDS)


def of_machines(harm: Callable[[RunningMachines, str], Awaitable[None]]) -> Harm:
    async def done(cluster: RunningCluster, victim: str) -> None:
        assert isinstance(cluster, RunningMachines)
        await harm(cluster, await cluster.leader(victim))

    done.__name__ = harm.__name__
    return done


@of_machines
async def a_cut_between_the_primary_and_a_standby(cluster: RunningMachines, leader: str) -> None:
    with cluster.network.cut(cluster.machine(leader), cluster.others(leader)[0]):
        await asyncio.sleep(CUT_SECONDS)


@of_machines
async def a_cut_between_the_primary_and_all_standbys(cluster: RunningMachines, leader: str) -> None:
    """And their etcd, of which it has a minority: the nodes reach it all the time, and it must acknowledge nothing."""
    with cluster.network.cut(cluster.machine(leader), *cluster.others(leader)):
        await asyncio.sleep(HANGS_SECONDS)
    await cluster.in_step(APART, not_led_by=leader)


@of_machines
async def a_cut_between_the_nodes_and_the_primary(cluster: RunningMachines, leader: str) -> None:
    """The database is well, so that it doesn't fail over: the nodes wait until they reach it again."""
    with cluster.network.cut(cluster.machine(leader), None):
        await asyncio.sleep(CUT_SECONDS)


@of_machines
async def a_lost_line_of_the_primary(cluster: RunningMachines, leader: str) -> None:
    """To everybody."""
    with cluster.network.cut(cluster.machine(leader), *cluster.others(leader), None):
        await cluster.in_step(APART, not_led_by=leader)
        await asyncio.sleep(5)


@of_machines
async def a_lost_line_of_the_primary_and_of_etcds_leader(cluster: RunningMachines, leader: str) -> None:
    """They are on one machine: etcd elects another leader first, which gives the lease its whole time again."""
    await cluster.lead_etcd(cluster.machine(leader))
    with cluster.network.cut(cluster.machine(leader), *cluster.others(leader), None):
        await cluster.in_step(APART, not_led_by=leader)
        await asyncio.sleep(5)


@pytest.mark.parametrize(
    ("harm", "most"),
    [
        (a_cut_between_the_primary_and_a_standby, 3),
        (a_cut_between_the_nodes_and_the_primary, CUT_SECONDS + 5),
        (a_cut_between_the_primary_and_all_standbys, LEASE),
        (a_lost_line_of_the_primary, LEASE),
        (a_lost_line_of_the_primary_and_of_etcds_leader, LEASE),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
async def test_a_line_that_is_cut_loses_nothing(cluster: RunningMachines, bots: Bots, harm: Harm, most: float) -> None:
    row = await measured(cluster, bots, harm, APART)
    assert row.writes_after <= most * SLOWER
    assert row.others <= 2 * SLOWER, "the other database goes on"
    assert "internal" not in row.errors
