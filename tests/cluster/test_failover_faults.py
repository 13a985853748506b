"""Servers that die, hang and are replaced under the bots: nothing is lost, doubled, or seen and then lost."""

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from random import Random

import pytest

from gameserver.config.settings import REDIS_MASTER
from gameserver.stack.processes import process_table
from gameserver.stack.servers.sentinel import SentinelPlaces
from gameserver.storage.postgres.locks import FENCES
from tests.cluster.fault_table import (
    HANGS_SECONDS,
    OF_THREE,
    OF_TWO,
    SLOWER,
    VICTIMS,
    Harm,
    family,
    measured,
    started_cluster,
)
from tests.cluster.running_cluster import ELECTED_SECONDS, RunningCluster, stopped, tell
from tests.cluster.swarm import Bots
from tests.support.wait import wait_until

pytestmark = [pytest.mark.soak, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def cluster() -> Iterator[RunningCluster]:
    with started_cluster() as run:
        yield run


async def a_planned_switchover(cluster: RunningCluster, victim: str) -> None:
    await cluster.switch(victim)


async def a_killed_primary(cluster: RunningCluster, victim: str) -> None:
    leader = await cluster.leader(victim)
    tell(cluster.postgres(leader), signal.SIGKILL)
    await cluster.in_step(victim, not_led_by=leader)


async def a_killed_standby(cluster: RunningCluster, victim: str) -> None:
    standby = next(member.name for member in await cluster.members(victim) if member.can_take_over)
    tell(cluster.postgres(standby), signal.SIGKILL)
    await asyncio.sleep(3)


async def a_killed_patroni_of_the_primary(cluster: RunningCluster, victim: str) -> None:
    tell(cluster.patroni(await cluster.leader(victim)), signal.SIGKILL)
    await asyncio.sleep(3)


async def a_lost_machine_of_the_primary(cluster: RunningCluster, victim: str) -> None:
    """Patroni and Postgres are gone, and nothing starts them again."""
    leader = await cluster.leader(victim)
    patroni, postgres = cluster.patroni(leader), cluster.postgres(leader)
    with stopped(cluster.pid):
        tell(patroni, signal.SIGKILL)
        tell(postgres, signal.SIGKILL)
        await asyncio.sleep(HANGS_SECONDS)
    await cluster.in_step(victim, not_led_by=leader)


async def a_hanging_patroni_of_the_primary(cluster: RunningCluster, victim: str) -> None:
    """The watchdog ends its Postgres, which would go on answering reads when another one leads."""
    leader = await cluster.leader(victim)
    with stopped(cluster.patroni(leader)):
        await asyncio.sleep(HANGS_SECONDS)
    await cluster.in_step(victim, not_led_by=leader)


async def a_hanging_machine_of_the_primary(cluster: RunningCluster, victim: str) -> None:
    """All of it stops, its watchdog too, and wakes when its successor leads: it must acknowledge nothing more."""
    leader = await cluster.leader(victim)
    with stopped(cluster.pid, cluster.patroni(leader), *family(cluster.postgres(leader))):
        await asyncio.sleep(HANGS_SECONDS)
    await cluster.in_step(victim, not_led_by=leader)


async def a_hanging_postmaster_of_the_primary(cluster: RunningCluster, victim: str) -> None:
    with stopped(cluster.postgres(await cluster.leader(victim))):
        await asyncio.sleep(30)


async def a_hanging_standby(cluster: RunningCluster, victim: str) -> None:
    """Its Postgres alone: nothing can be acknowledged until it is replaced or wakes."""
    standby = next(member.name for member in await cluster.members(victim) if member.can_take_over)
    with stopped(*family(cluster.postgres(standby))):
        await asyncio.sleep(10)


async def two_failovers_in_ten_seconds(cluster: RunningCluster, victim: str) -> None:
    first = await cluster.leader(victim)
    tell(cluster.postgres(first), signal.SIGKILL)
    second = await cluster.in_step(victim, not_led_by=first)
    tell(cluster.postgres(second), signal.SIGKILL)
    await cluster.in_step(victim)


AHEAD = "select pg_logical_emit_message(true, 'ahead', repeat('x', 1 << 20)) from generate_series(1, 128)"
"""Writes so many MB of log that changes nothing: more than what a stopped standby's line holds."""


async def a_killed_leader_while_the_former_one_rewinds(cluster: RunningCluster, victim: str) -> None:
    """The former one has log that no other has. What it is rewound by dies amid that, so that it begins anew."""
    first = await cluster.leader(victim)
    standbys = [member.name for member in await cluster.members(victim) if member.can_take_over]
    patroni = cluster.patroni(first)
    async with cluster.superuser(victim) as connection:
        with stopped(*(pid for standby in standbys for pid in family(cluster.postgres(standby)))):
            await connection.execute(AHEAD)
            tell(cluster.postgres(first), signal.SIGKILL)
    await wait_until(lambda: rewinds_of(patroni), ELECTED_SECONDS, f"{first} rewinds")
    with stopped(*rewinds_of(patroni)):
        second = await cluster.leader(victim)
        assert rewinds_of(patroni), f"{first} has rewound before {second} could be killed"
        tell(cluster.postgres(second), signal.SIGKILL)
    await cluster.in_step(victim)


def rewinds_of(patroni: int) -> list[int]:
    """The processes that rewind what a Patroni cares for."""
    return [pid for pid in process_table.descendants(patroni) if "pg_rewind" in process_table.command_line(pid)]


BATCHES = """
select pid, backend_xid::text as transaction from pg_stat_activity
where application_name = 'gameserver' and backend_xid is not null
and exists (
    select from pg_locks held
    where held.pid = pg_stat_activity.pid and held.locktype = 'advisory' and held.mode = 'ShareLock'
    and held.granted and held.objid = $1
)
"""
"""Transactions of players that are open: they hold players, and share the fence."""


async def a_hanging_backend_of_the_primary(cluster: RunningCluster, victim: str) -> None:
    """One that is amid a batch of players, whom it goes on holding: the others of its database play on."""
    async with cluster.superuser(victim) as connection, asyncio.timeout(60):
        while True:
            for pid, transaction in await connection.fetch(BATCHES, FENCES["players"]):
                with stopped(pid):
                    if (pid, transaction) in map(tuple, await connection.fetch(BATCHES, FENCES["players"])):
                        await asyncio.sleep(25)
                        return


async def one_killed_etcd(cluster: RunningCluster, victim: str) -> None:
    tell(cluster.child("etcd.*--name=etcd-1 "), signal.SIGKILL)
    await asyncio.sleep(5)


async def all_of_etcd_away(cluster: RunningCluster, victim: str) -> None:
    with stopped(*(cluster.child(f"etcd.*--name=etcd-{number} ") for number in (1, 2, 3))):
        await asyncio.sleep(HANGS_SECONDS)


async def all_of_etcd_killed(cluster: RunningCluster, victim: str) -> None:
    for number in (1, 2, 3):
        tell(cluster.child(f"etcd.*--name=etcd-{number} "), signal.SIGKILL)
    await asyncio.sleep(5)


def redis_pid(cluster: RunningCluster, name: str) -> int:
    port = cluster.ports[name]
    pid = process_table.listener(port)
    assert pid is not None, f"no Redis listens on {port}"
    return pid


async def redis_master(cluster: RunningCluster) -> str:
    """The name of the port of the server that the Sentinels name."""
    ports = [cluster.ports[f"sentinel_{number}"] for number in (1, 2, 3)]
    places = SentinelPlaces(REDIS_MASTER, ports, cluster.settings.server_password("redis", "sentinel"), ())
    port = await places.master_port()
    return next(name for name in ("redis", "redis_2") if cluster.ports[name] == port)


async def a_hanging_redis_master(cluster: RunningCluster, victim: str) -> None:
    first = await redis_master(cluster)
    with stopped(redis_pid(cluster, first)):
        await asyncio.sleep(20)
    assert await redis_master(cluster) != first, "the Sentinels have made the replica the master"


async def a_killed_redis_master(cluster: RunningCluster, victim: str) -> None:
    tell(redis_pid(cluster, await redis_master(cluster)), signal.SIGKILL)


async def all_of_redis_and_sentinels_killed(cluster: RunningCluster, victim: str) -> None:
    for name in ("redis", "redis_2", "sentinel_1", "sentinel_2", "sentinel_3"):
        tell(redis_pid(cluster, name), signal.SIGKILL)


@pytest.mark.parametrize(
    "harm",
    [a_hanging_redis_master, a_killed_redis_master, all_of_redis_and_sentinels_killed],
    ids=lambda value: value.__name__,
)
async def test_a_fault_of_redis_interrupts_no_play(cluster: RunningCluster, bots: Bots, harm: Harm) -> None:
    row = await measured(cluster, bots, harm, OF_TWO)
    assert max(row.writes_after, row.others) <= 2 * SLOWER
    assert row.sessions_after <= 45 * SLOWER


LEASE, AWAY = 25, HANGS_SECONDS + 15
"""Seconds: of an election when a lease has to end, and of a wait for a server that comes back."""


@pytest.mark.parametrize(
    ("harm", "victim", "most"),
    [
        (a_planned_switchover, OF_THREE, 4),
        (a_planned_switchover, OF_TWO, 8),
        (a_killed_primary, OF_THREE, 5),
        (a_killed_primary, OF_TWO, 8),
        (a_lost_machine_of_the_primary, OF_THREE, LEASE),
        (a_lost_machine_of_the_primary, OF_TWO, AWAY),
        (a_hanging_patroni_of_the_primary, OF_THREE, LEASE),
        (a_hanging_machine_of_the_primary, OF_THREE, LEASE),
        (two_failovers_in_ten_seconds, OF_THREE, 15),
        (two_failovers_in_ten_seconds, OF_TWO, 30),
        (a_killed_standby, OF_THREE, 2),
        (a_killed_standby, OF_TWO, 5),
        (a_killed_patroni_of_the_primary, OF_THREE, 2),
        (a_hanging_postmaster_of_the_primary, OF_THREE, HANGS_SECONDS),
        (a_killed_leader_while_the_former_one_rewinds, OF_THREE, 30),
        (a_killed_leader_while_the_former_one_rewinds, OF_TWO, 60),
        (a_hanging_backend_of_the_primary, OF_THREE, 5),
        (a_hanging_backend_of_the_primary, OF_TWO, 5),
        (a_hanging_standby, OF_THREE, 2),
        (a_hanging_standby, OF_TWO, 15),
        (one_killed_etcd, OF_THREE, 2),
        (all_of_etcd_killed, OF_THREE, 5),
        (all_of_etcd_away, OF_THREE, 5),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
async def test_a_fault_loses_and_doubles_nothing(
    cluster: RunningCluster, bots: Bots, harm: Harm, victim: str, most: float
) -> None:
    row = await measured(cluster, bots, harm, victim)
    assert row.writes_after <= most * SLOWER
    assert row.others <= 2 * SLOWER, "the other databases go on"


DRAWN = [
    *((harm, victim) for harm in (a_planned_switchover, a_killed_primary, a_killed_standby) for victim in VICTIMS),
    *((harm, OF_THREE) for harm in (two_failovers_in_ten_seconds, a_killed_patroni_of_the_primary, a_hanging_standby)),
    *((harm, OF_THREE) for harm in (one_killed_etcd, all_of_etcd_killed)),
    *((a_hanging_backend_of_the_primary, victim) for victim in VICTIMS),
    *((a_killed_leader_while_the_former_one_rewinds, victim) for victim in (OF_THREE, OF_TWO)),
    *((harm, OF_TWO) for harm in (a_killed_redis_master, all_of_redis_and_sentinels_killed)),
]


@pytest.mark.timeout(0)
async def test_faults_that_are_drawn_lose_and_double_nothing(
    cluster: RunningCluster, bots: Bots, capsys: pytest.CaptureFixture[str]
) -> None:
    """One after another for DURATION seconds, by SEED; the control database's servers are among the victims."""
    seed, end = int(os.environ.get("SEED", "1")), time.monotonic() + float(os.environ.get("DURATION", "120"))
    chance, faults = Random(seed), 0
    while time.monotonic() < end:
        harm, victim = chance.choice(DRAWN)
        faults += 1
        try:
            await measured(cluster, bots, harm, victim)
        except AssertionError as error:
            error.add_note(f"fault {faults} by SEED={seed}: {harm.__name__} of {victim}")
            raise
    with capsys.disabled():
        print(f"\n{faults} faults drawn by SEED={seed}")  # noqa: T201
