"""A cut of what the nodes' URL names first: they find the primary all the same, and nothing is lost or doubled."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.cluster.fault_table import SLOWER, Harm, measured
from tests.cluster.machines import SILENT
from tests.cluster.running_machines import APART, RunningMachines, three_machines
from tests.cluster.swarm import Bots
from tests.cluster.test_failover_networks import LEASE, a_lost_line_of_the_primary, of_machines, start

pytestmark = [pytest.mark.soak, pytest.mark.timeout(400)]
FIRST = f"{APART}-1"


@pytest.fixture(scope="module", params=[(), (SILENT,)], ids=["a live one", "a silent one"])
def cluster(request: pytest.FixtureRequest) -> Iterator[RunningMachines]:
    """Before the hosts of the database the URL of one of the two names an address that is never answered."""
    with three_machines(*request.param) as run:
        asyncio.run(start(run))
        yield run


@of_machines
async def a_cut_of_the_first_host(cluster: RunningMachines, leader: str) -> None:
    """All lines of the primary's machine are cut, which is the first that is alive of those in the URL."""
    if leader != FIRST:
        await cluster.switch(APART, to=FIRST)
        await cluster.whole(APART)
    await a_lost_line_of_the_primary(cluster, APART)


@pytest.mark.parametrize("harm", [a_cut_of_the_first_host])
async def test_a_cut_of_the_first_host_loses_nothing(cluster: RunningMachines, bots: Bots, harm: Harm) -> None:
    row = await measured(cluster, bots, harm, APART)
    assert row.writes_after <= LEASE * SLOWER
    assert row.others <= 2 * SLOWER, "the other database goes on"
    assert "internal" not in row.errors
