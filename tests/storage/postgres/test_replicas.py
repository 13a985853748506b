"""Replicas: how old they say they are is never understated, and only fresh ones of the right primary are asked."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from math import inf, isnan

import pytest
from prometheus_client import REGISTRY
from pydantic import SecretStr

from gameserver.app import Core
from gameserver.config.settings import Settings
from gameserver.stack.servers.replica import PostgresReplica
from gameserver.storage.operators.parts import part_of
from gameserver.storage.postgres.databases import Databases
from gameserver.storage.postgres.replica import Replicas
from gameserver.waiting import cancel_and_wait
from tests.support.deployment import enlist, enlist_many, working
from tests.support.freezing import frozen
from tests.support.replicas import paused, standing_replica, url_of, with_replica
from tests.support.servers import Servers
from tests.support.wait import wait_until

OLDEST = 1.5
NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
MICROSECOND = 1e-6


@pytest.fixture(scope="module")
def replica(servers: Servers) -> Iterator[PostgresReplica]:
    """Of database `one`."""
    with standing_replica(servers) as standing:
        yield standing


@asynccontextmanager
async def watched(settings: Settings, url: str) -> AsyncIterator[Core]:
    """A node's storage whose database `one` has a replica at this URL."""
    async with working(with_replica(settings, url, max_staleness_seconds=OLDEST)) as core:
        watch = asyncio.create_task(core.replicas.run())
        try:
            yield core
        finally:
            await cancel_and_wait([watch])


def age(core: Core) -> float:
    return core.replicas.all()[0].age()


def figure(name: str) -> float:
    """What is told of the replica to whoever watches it."""
    value = REGISTRY.get_sample_value(f"gameserver_replica_{name}", {"database": "one", "replica": "one-replica-1"})
    assert value is not None
    return value


async def counted(core: Core) -> int:
    counts, _ = await core.rooms.operators.reports.count()
    return sum(count.players for count in counts)


async def test_counts_go_to_a_fresh_replica_and_say_how_old_it_may_be(
    settings: Settings, replica: PostgresReplica
) -> None:
    async with watched(settings, url_of(replica, settings)) as core:
        assert age(core) == inf
        await wait_until(lambda: age(core) < OLDEST, 20, "the replica is fresh")
        async with paused(replica):
            before = await counted(core)
            await enlist_many(core, 20)
            asked, moment = core.rooms.clock.now(), age(core)
            if moment < OLDEST / 2:
                # It shows what was before; and says so.
                counts, as_of = await core.rooms.operators.reports.count()
                assert as_of < asked
                assert sum(count.players for count in counts if count.database == "one") == 0
            # Too old by now: the primary is asked.
            await wait_until(lambda: age(core) > OLDEST, 20, "the replica is too old")
            assert await counted(core) == before + 20
        await wait_until(lambda: age(core) < OLDEST, 20, "the replica is fresh again")
        assert await counted(core) == before + 20


async def test_what_a_replica_shows_is_of_before_it_was_reached_whatever_its_own_clock_says(
    settings: Settings, replica: PostgresReplica
) -> None:
    async with working(with_replica(settings, url_of(replica, settings))) as core, AsyncExitStack() as stack:
        (follower,) = core.replicas.all()

        async def is_fresh() -> bool:
            await core.replicas.compare()
            return follower.age() < inf

        await wait_until(is_fresh, 20, "the replica is fresh")
        fresh_at, moments = time.monotonic() - follower.age(), list[float]()

        def noon() -> datetime:
            moments.append(time.monotonic())
            return NOON

        arguments, deadline = {"size": core.slots.size("players"), "by": ""}, asyncio.get_running_loop().time() + 20
        part = await part_of(stack, core.databases["one"], follower, arguments, deadline, noon)
        assert len(moments) == 1, "it has answered"
        assert (NOON - part.as_of).total_seconds() >= moments[0] - fresh_at - MICROSECOND


async def test_a_frozen_replica_ages_and_counts_go_on(settings: Settings, replica: PostgresReplica) -> None:
    async with watched(settings, url_of(replica, settings)) as core:
        await wait_until(lambda: age(core) < OLDEST, 20, "the replica is fresh")
        with frozen(replica):
            position = figure("position_bytes")
            await enlist(core)
            await wait_until(lambda: age(core) > OLDEST, 20, "the replica is too old")
            await wait_until(lambda: figure("behind_bytes") > 0, 20, "the replica is behind, though it is silent")
            assert figure("position_bytes") == position
            assert await counted(core) == 1
        # It may be fresh at once, at the old position: nothing says how long it was frozen for.
        await wait_until(lambda: figure("position_bytes") > position, 20, "the replica has come further")
        await wait_until(lambda: age(core) < OLDEST, 20, "the replica is fresh again")


@pytest.mark.parametrize("wrong", ["one", "two"])
async def test_what_is_no_replica_of_this_primary_is_never_asked(
    settings: Settings, servers: Servers, wrong: str
) -> None:
    url = settings.database_url(wrong).get_secret_value()
    async with watched(settings, url) as core:
        other = core.replicas.all()[0]
        await wait_until(lambda: other.problem is not None, 20, "the fault is told")
        assert "it is no replica" in str(other.problem)
        assert other.age() == inf
        assert isnan(figure("behind_bytes"))
        assert isnan(figure("position_bytes"))
        assert await counted(core) == 0


async def test_a_replica_of_another_timeline_is_never_asked(settings: Settings, replica: PostgresReplica) -> None:
    async with watched(settings, url_of(replica, settings)) as core:
        await wait_until(lambda: age(core) < OLDEST, 20, "the replica is fresh")
        (follower,) = core.replicas.all()
        system, timeline = follower._line
        follower.mark((system, timeline + 1), 0, 0.0)
        await follower.look()
        assert follower.age() == inf
        assert isnan(follower.behind())
        assert "timeline" in str(follower.problem)


async def test_a_primary_that_is_a_replica_by_now_ends_nothing(settings: Settings, replica: PostgresReplica) -> None:
    url = SecretStr(url_of(replica, settings))
    databases = Databases({"one": url})
    replicas = Replicas(databases, {"one": {"one-replica-1": url}}, None)
    watch = asyncio.create_task(replicas.run())
    done, _ = await asyncio.wait([watch], timeout=1.5)
    assert not done
    assert [each.age() for each in replicas.all()] == [inf]
    await cancel_and_wait([watch])
    await replicas.close()
    await databases.close()
