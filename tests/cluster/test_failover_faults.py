"""The table of docs/failover.md: what each loss does to a whole deployment under the bots, with their proof.

`make soak` runs it; each row is appended as JSON to the file that FAULT_TABLE names.
"""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import orjson
import pytest

from gameserver.config.settings import REDIS_MASTER
from gameserver.stack.processes import process_table
from gameserver.stack.processes.process_table import descendants
from gameserver.stack.servers.sentinel import SentinelPlaces
from tests.cluster.pulse import SESSIONS, Pulse, beating
from tests.cluster.running_cluster import START_SECONDS, RunningCluster, require_etcd, stopped, tell
from tests.cluster.running_up import made
from tests.cluster.swarm import Bots

CONFIG = """
game = "{game}"
[stack]
data = "var"
[node]
port = {node}
drain_seconds = 3
[limits]
exempt = ["127.0.0.0/8"]
actions_per_player = {{ per_second = 5000, burst = 10000 }}
[etcd]
members = [
    {{ port = {etcd_1}, peer_port = {etcd_peer_1} }},
    {{ port = {etcd_2}, peer_port = {etcd_peer_2} }},
    {{ port = {etcd_3}, peer_port = {etcd_peer_3} }},
]
[databases.one]
members = [{{ port = {one_1}, api_port = {one_api_1} }}, {{ port = {one_2}, api_port = {one_api_2} }}]
[databases.two]
members = [
    {{ port = {two_1}, api_port = {two_api_1} }},
    {{ port = {two_2}, api_port = {two_api_2} }},
    {{ port = {two_3}, api_port = {two_api_3} }},
]
[databases.three]
members = [{{ port = {three_1}, api_port = {three_api_1} }}, {{ port = {three_2}, api_port = {three_api_2} }}]
[redis.sentinels]
servers = [{redis}, {redis_2}]
ports = [{sentinel_1}, {sentinel_2}, {sentinel_3}]
[control]
database = "one"
[groups.accounts]
databases = ["one", "two"]
[groups.players]
databases = ["one", "two", "three"]
"""
SLOWER = float(os.environ.get("SLOWER", "3"))
"""How much slower than a machine of its own this one may be: others use it, too."""
HANGS_SECONDS = 35
"""Longer than the lease of a primary."""
OF_THREE, OF_TWO = "two", "three"
"""A database of three servers, which can lose one, and one of two, as in config/cluster.toml."""
VICTIMS = ("one", OF_THREE, OF_TWO)
"""The first is the control database."""
Harm = Callable[[RunningCluster, str], Awaitable[None]]

pytestmark = [pytest.mark.soak, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def cluster() -> Iterator[RunningCluster]:
    """One for all faults, each of which leaves it whole."""
    require_etcd()
    with made(RunningCluster, CONFIG, nodes=2) as run:
        asyncio.run(run.start(START_SECONDS))
        yield run


@dataclass(frozen=True)
class Row:
    """What one fault did; seconds without an acknowledged write and without a sign-in.

    Writes are those on its database, and those on the worst of the others.
    """

    fault: str
    servers: int
    lost: int
    doubled: int
    unexplained: int
    seen_then_lost: int
    unknown_landed: int
    errors: dict[str, int]
    writes_after: float
    others: float
    sessions_after: float

    def note(self) -> None:
        if (file := os.environ.get("FAULT_TABLE")) is not None:
            with Path(file).open("ab") as table:
                table.write(orjson.dumps(self) + b"\n")


async def measured(cluster: RunningCluster, bots: Bots, harm: Harm, victim: str) -> Row:
    """Does the harm under the bots and the pulse, and waits until all is whole again."""
    for name in ("one", "two", "three"):
        await cluster.whole(name)
    began = 0.0
    async with beating(cluster.door.address, cluster.settings) as pulse:

        async def disturb() -> None:
            nonlocal began
            began = time.monotonic()
            await harm(cluster, victim)
            await cluster.in_step(victim)
            await all_beat(pulse)

        done = await cluster.bots_prove(bots, disturb)
    proof = done.report["summary"]["proof"]
    row = Row(
        fault=harm.__name__,
        servers=len(cluster.settings.databases[victim].members),
        lost=proof["lost"],
        doubled=proof["doubled"],
        unexplained=proof["unexplained"],
        seen_then_lost=pulse.seen_then_lost,
        unknown_landed=proof["unknown_fate"]["landed"],
        errors=done.report["errors"],
        writes_after=round(pulse.gap(victim, began), 1),
        others=round(max(pulse.gap(name, began) for name in ("one", "two", "three") if name != victim), 1),
        sessions_after=round(pulse.gap(SESSIONS, began), 1),
    )
    row.note()
    assert (row.lost, row.doubled, row.unexplained, row.seen_then_lost) == (0, 0, 0, 0)
    return row


async def all_beat(pulse: Pulse) -> None:
    """Waits until every database has acknowledged something since now, and somebody has signed in."""
    now = time.monotonic()
    async with asyncio.timeout(90):
        while not all(beats[-1] > now for beats in pulse.beats.values()):  # noqa: ASYNC110 - times are what is waited for
            await asyncio.sleep(0.1)


def family(pid: int) -> list[int]:
    return [pid, *descendants(pid)]


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
    places = SentinelPlaces(REDIS_MASTER, ports, cluster.settings.server_password("redis", "sentinel"))
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
    *((harm, OF_TWO) for harm in (a_killed_redis_master, all_of_redis_and_sentinels_killed)),
]


@pytest.mark.timeout(0)
async def test_faults_that_are_drawn_lose_and_double_nothing(cluster: RunningCluster, bots: Bots) -> None:
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
