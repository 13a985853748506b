"""Disks that are full under the bots: each server of two databases has a small one of its own, in memory."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import asyncpg
import pytest

from tests.cluster.fault_table import CONFIG, OF_THREE, OF_TWO, SLOWER, Harm, measured
from tests.cluster.running_cluster import START_SECONDS, RunningCluster, require_etcd
from tests.cluster.running_up import made
from tests.cluster.swarm import Bots

pytestmark = [pytest.mark.soak, pytest.mark.timeout(400)]
DISK_MIB = 1200
LOG = {
    "max_wal_size": "96MB",
    "min_wal_size": "32MB",
    "wal_keep_size": "480MB",
    "max_slot_wal_keep_size": "640MB",
}
"""What fits on it, in the proportions that the product sets: with its 4 and 8 GB, four faults that each use up 15 files
fill a disk for good, and who is elected on it dies at each promotion. With less kept than a former primary needs, it
never becomes a standby again."""
FULL_SECONDS = 15
CHUNK, PAGE = 1 << 24, 4096


@pytest.fixture(scope="module")
def cluster() -> Iterator[RunningCluster]:
    require_etcd()
    with made(RunningCluster, CONFIG, nodes=2) as run, small_disks(run, OF_THREE, OF_TWO):
        asyncio.run(run.start(START_SECONDS))
        asyncio.run(small_logs(run, OF_THREE, OF_TWO))
        yield run


async def small_logs(run: RunningCluster, *databases: str) -> None:
    """Lets the servers of these databases keep no more log than their disks can hold."""
    for database in databases:
        for member in await run.members(database):
            async with run.superuser(database, member.name) as connection:
                for name, value in LOG.items():
                    await connection.execute(f"alter system set {name} = '{value}'")
                await connection.execute("select pg_reload_conf()")


@contextmanager
def small_disks(run: RunningCluster, *databases: str) -> Iterator[None]:
    """One for each server of the databases; all processes are dead when the block is over."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a disk in memory")
    names = [f"{database}-{number}" for database in databases for number in range(1, run.servers(database) + 1)]
    disks = [run.home(name) for name in names]
    for disk in disks:
        disk.mkdir(parents=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", str(disk)], check=True)
    try:
        yield
    finally:
        run.kill()
        for disk in disks:
            subprocess.run(["umount", "--lazy", str(disk)], check=True)


@asynccontextmanager
async def full(disk: Path) -> AsyncIterator[None]:
    """Nothing can be written while the block runs."""
    filler = disk / "filler"
    try:
        await asyncio.to_thread(fill, filler)
        yield
    finally:
        filler.unlink()


def fill(filler: Path) -> None:
    """Takes what is left, also what was given back since the last time."""
    with filler.open("ab") as file:
        for size in (CHUNK, PAGE):
            with suppress(OSError):
                while True:
                    os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, size)


async def a_full_disk_of_the_primary(cluster: RunningCluster, victim: str) -> None:
    await full_for_a_while(cluster, victim, await cluster.leader(victim))


async def a_full_disk_of_a_standby(cluster: RunningCluster, victim: str) -> None:
    standby = next(member.name for member in await cluster.members(victim) if member.can_take_over)
    await full_for_a_while(cluster, victim, standby)


async def full_for_a_while(cluster: RunningCluster, victim: str, member: str) -> None:
    """With what the log has left of its files used up first."""
    disk = cluster.home(member)
    async with full(disk):
        for _ in range(FULL_SECONDS):
            with suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, IndexError):
                async with asyncio.timeout(1), cluster.superuser(victim) as connection:
                    await connection.execute("select pg_logical_emit_message(true, 'test', ''), pg_switch_wal()")
            await asyncio.to_thread(fill, disk / "filler")
            await asyncio.sleep(1)


@pytest.mark.parametrize(
    ("harm", "victim", "most"),
    [
        (a_full_disk_of_the_primary, OF_THREE, 10),
        (a_full_disk_of_the_primary, OF_TWO, FULL_SECONDS + 25),
        (a_full_disk_of_a_standby, OF_THREE, 3),
        (a_full_disk_of_a_standby, OF_TWO, FULL_SECONDS + 25),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
async def test_a_full_disk_loses_nothing(
    cluster: RunningCluster, bots: Bots, harm: Harm, victim: str, most: float
) -> None:
    row = await measured(cluster, bots, harm, victim)
    assert row.writes_after <= most * SLOWER
    assert row.others <= 2 * SLOWER, "the other databases go on"
    assert "internal" not in row.errors
