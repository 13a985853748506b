"""Faults drawn at random, with cut lines and full disks among them, on three machines: nothing is lost or doubled.

Servers that die and hang where nothing else can happen to them, also of a database of two, are drawn in
test_failover_faults.
"""

import asyncio
import os
import time
from collections.abc import Iterator
from random import Random

import pytest

from tests.cluster import test_failover_disks as disks
from tests.cluster import test_failover_faults as faults
from tests.cluster import test_failover_networks as networks
from tests.cluster.fault_table import Harm, measured
from tests.cluster.running_machines import APART, RunningMachines, three_machines
from tests.cluster.swarm import Bots

pytestmark = [pytest.mark.soak, pytest.mark.timeout(0)]
AWAY_SECONDS = 5


@pytest.fixture(scope="module")
def cluster() -> Iterator[RunningMachines]:
    """Each machine has a small disk of its own."""
    with three_machines() as run, disks.small_disks(run, APART):
        asyncio.run(networks.start(run))
        asyncio.run(disks.small_logs(run, APART))
        yield run


@networks.of_machines
async def a_machine_without_power(cluster: RunningMachines, leader: str) -> None:
    """The primary's: everything on it dies at once, and is started again."""
    machine = cluster.machine(leader)
    machine.kill()
    await asyncio.sleep(AWAY_SECONDS)
    cluster.start_machine(machine)
    await cluster.whole(APART)


@networks.of_machines
async def a_standbys_machine_without_power(cluster: RunningMachines, leader: str) -> None:
    machine = cluster.others(leader)[0]
    machine.kill()
    await asyncio.sleep(AWAY_SECONDS)
    cluster.start_machine(machine)
    await cluster.whole(APART)


DRAWN: list[Harm] = [
    faults.a_planned_switchover,
    faults.a_killed_primary,
    faults.a_killed_standby,
    faults.a_hanging_standby,
    faults.two_failovers_in_ten_seconds,
    a_machine_without_power,
    a_standbys_machine_without_power,
    networks.a_cut_between_the_primary_and_a_standby,
    networks.a_cut_between_the_primary_and_all_standbys,
    networks.a_cut_between_the_nodes_and_the_primary,
    networks.a_lost_line_of_the_primary,
    disks.a_full_disk_of_the_primary,
    disks.a_full_disk_of_a_standby,
]


async def test_faults_of_machines_that_are_drawn_lose_and_double_nothing(
    cluster: RunningMachines, bots: Bots, capsys: pytest.CaptureFixture[str]
) -> None:
    """One after another for DURATION seconds, by SEED."""
    seed, end = int(os.environ.get("SEED", "1")), time.monotonic() + float(os.environ.get("DURATION", "120"))
    chance, count = Random(seed), 0
    while time.monotonic() < end:
        harm = chance.choice(DRAWN)
        count += 1
        try:
            row = await measured(cluster, bots, harm, APART)
        except AssertionError as error:
            error.add_note(f"fault {count} by SEED={seed}: {harm.__name__}")
            raise
        assert "internal" not in row.errors, f"fault {count} by SEED={seed}: {harm.__name__}"
    with capsys.disabled():
        print(f"\n{count} faults drawn by SEED={seed}")  # noqa: T201
