"""Commits that are on the primary alone when it is lost, and tables that change under nodes: nobody is misled."""

import asyncio
import signal
from collections.abc import Iterator

import asyncpg
import pytest

from gameserver.stack.errors import StackError
from tests.cluster.fault_table import HANGS_SECONDS, OF_THREE, OF_TWO, SLOWER, Harm, family, measured, started_cluster
from tests.cluster.running_cluster import ELECTED_SECONDS, RunningCluster, stopped, tell
from tests.cluster.swarm import Bots
from tests.support.wait import wait_until

pytestmark = [pytest.mark.soak, pytest.mark.timeout(400)]
CANCEL = """
select count(pg_cancel_backend(pid)) from pg_stat_activity
where application_name = 'gameserver' and wait_event = 'SyncRep'
"""
WAITING = "select count(*) from pg_stat_activity where application_name = 'gameserver' and wait_event = 'SyncRep'"
TABLES = ("players", "ledger", "outbox", "inbox", "scores")

ALTERS_SECONDS = 8


@pytest.fixture(scope="module")
def cluster() -> Iterator[RunningCluster]:
    with started_cluster() as run:
        yield run


async def standby_of(cluster: RunningCluster, database: str) -> str:
    return next(member.name for member in await cluster.members(database) if member.can_take_over)


async def cancelled_waits_of_commits(cluster: RunningCluster, victim: str) -> None:
    """Those that wait for a standby which hangs are cancelled, again and again; then the primary dies with them."""
    leader, standby = await cluster.leader(victim), await standby_of(cluster, victim)
    count = 0
    async with cluster.superuser(victim) as connection:
        with stopped(*family(cluster.postgres(standby))):
            async with asyncio.timeout(20):
                while count < 20:
                    count += await connection.fetchval(CANCEL)
                    await asyncio.sleep(0.05)
            tell(cluster.postgres(leader), signal.SIGKILL)
    await cluster.in_step(victim)


async def a_primary_that_restarts_without_its_standby_and_dies(cluster: RunningCluster, victim: str) -> None:
    """What waited for its standby shows after the restart. So the standby mustn't lead: the primary is waited for."""
    leader, standby = await cluster.leader(victim), await standby_of(cluster, victim)
    hang = [cluster.patroni(standby), *family(cluster.postgres(standby))]
    with stopped(cluster.pid):
        with stopped(*hang):
            await commits_wait(cluster, victim)
            before = cluster.postgres(leader)
            tell(before, signal.SIGKILL)
            await restarted(cluster, victim, leader, before)
            await commits_wait(cluster, victim)
            tell(cluster.patroni(leader), signal.SIGKILL)
            tell(cluster.postgres(leader), signal.SIGKILL)
        await asyncio.sleep(HANGS_SECONDS)
        assert not await leads(cluster, victim, standby), "the standby lacks what was seen, and leads"
    await cluster.in_step(victim)


async def commits_wait(cluster: RunningCluster, victim: str) -> None:
    async with cluster.superuser(victim) as connection:

        async def some_wait() -> bool:
            return bool(await connection.fetchval(WAITING))

        await wait_until(some_wait, 30, "commits wait for the standby")
        await asyncio.sleep(1)


async def restarted(cluster: RunningCluster, victim: str, leader: str, before: int) -> None:
    async def is_back() -> bool:
        try:
            async with cluster.superuser(victim, leader) as connection:
                back = not await connection.fetchval("select pg_is_in_recovery()")
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, IndexError):
            return False
        return back and cluster.postgres(leader) != before

    await wait_until(is_back, ELECTED_SECONDS, f"{leader} leads again")


async def leads(cluster: RunningCluster, victim: str, name: str) -> bool:
    try:
        return await cluster.leader(victim) == name
    except StackError:
        return False


async def altered_tables(cluster: RunningCluster, victim: str) -> None:
    """Each holds up everything for a while, and ends the plans that nodes have prepared."""
    async with cluster.superuser(victim) as connection:
        for change in ("add column tried int default 1", "drop column tried"):
            for table in TABLES:
                async with connection.transaction():
                    await connection.execute(f"alter table {table} {change}")
                    await asyncio.sleep(0.6)


async def a_table_altered_for_long(cluster: RunningCluster, victim: str) -> None:
    """Longer than a statement of the nodes may take, which are of before it, twice."""
    async with cluster.superuser(victim) as connection:
        for change in ("add column tried int default 1", "drop column tried"):
            async with connection.transaction():
                await connection.execute(f"alter table players {change}")
                await asyncio.sleep(ALTERS_SECONDS)


@pytest.mark.parametrize(
    ("harm", "victim", "most"),
    [
        (cancelled_waits_of_commits, OF_TWO, 60),
        (a_primary_that_restarts_without_its_standby_and_dies, OF_TWO, 120),
        (altered_tables, OF_THREE, 5),
        (a_table_altered_for_long, OF_THREE, ALTERS_SECONDS + 5),
        (a_table_altered_for_long, OF_TWO, ALTERS_SECONDS + 5),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
async def test_what_is_on_the_primary_alone_is_promised_to_nobody(
    cluster: RunningCluster, bots: Bots, harm: Harm, victim: str, most: float
) -> None:
    row = await measured(cluster, bots, harm, victim)
    assert row.writes_after <= most * SLOWER
    assert row.others <= 2 * SLOWER, "the other databases go on"
    assert "internal" not in row.errors
