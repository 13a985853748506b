"""A node takes no more connections than is written, and says so when a database has too few for it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from structlog.testing import capture_logs

from gameserver.app import starting
from gameserver.config.settings import Settings
from gameserver.storage.postgres.connections import per_node
from tests.support.client import Api
from tests.support.deployment import connected, superuser
from tests.support.nodes import InProcessNode, start_node
from tests.support.servers import Servers
from tests.support.wait import wait_until

OURS = "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
FEW = 4


@pytest.fixture
async def node(settings: Settings) -> AsyncIterator[InProcessNode]:
    async with AsyncExitStack() as stack:
        yield await start_node(stack, settings)


async def limit(servers: Servers, node: InProcessNode, connections: int) -> None:
    """How many connections the database `two` may have; -1 for as many as its server has."""
    async with superuser(servers, node.core, "two") as connection:
        name = await connection.fetchval("select current_database()")
        await connection.execute(f"alter database {name} connection limit {connections}")


async def test_a_busy_node_takes_no_more_connections_than_is_written(settings: Settings, node: InProcessNode) -> None:
    async def play(api: Api) -> None:
        for _ in range(6):
            player = await api.sign_up()
            await asyncio.gather(*(api.act(player) for _ in range(5)), api.admin("rankings"), api.admin("stats"))

    most = {"one": 0, "two": 0}
    async with Api(node.url) as api:
        playing = asyncio.gather(*(play(api) for _ in range(12)))
        while not playing.done():
            for name in most:
                async with connected(settings.database_url(name)) as connection:
                    most[name] = max(most[name], await connection.fetchval(OURS))
            await asyncio.sleep(0.02)
        await playing
    groups = node.core.databases
    for name, taken in most.items():
        assert 8 <= taken <= per_node(groups[name].groups, settings.writes.in_flight)


async def test_a_database_without_connections_left_is_named_by_ready(servers: Servers, node: InProcessNode) -> None:
    async with Api(node.url) as api:
        assert (await api.ask("GET", "/ready")).body == {"ready": True}
        await limit(servers, node, FEW)
        async with superuser(servers, node.core, "two") as connection:
            await connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where datname = current_database() and pid <> pg_backend_pid()"
            )
        await asyncio.gather(*(api.sign_up() for _ in range(3)), return_exceptions=True)

        async def named() -> bool:
            ready = await api.ask("GET", "/ready")
            return ready.status == 200 and "no connection left" in ready.body.get("databases", {}).get("two", "")

        await wait_until(named, 15, "the database is named")
        await limit(servers, node, -1)

        async def over() -> bool:
            await asyncio.gather(api.sign_up(), return_exceptions=True)
            return bool((await api.ask("GET", "/ready")).body == {"ready": True})

        await wait_until(over, 15, "its end is seen")


async def test_a_node_that_starts_warns_of_a_database_with_too_few_connections(
    servers: Servers, settings: Settings, node: InProcessNode
) -> None:
    with capture_logs() as lines:
        await starting.look(settings, node.core.databases, node.core.redis.commands)
    assert not [line for line in lines if "connections" in line["event"]]
    await limit(servers, node, 12)
    with capture_logs() as lines:
        await starting.look(settings, node.core.databases, node.core.redis.commands)
    (line,) = [line for line in lines if "connections" in line["event"]]
    assert "database two has" in line["what"]


async def test_a_node_that_starts_warns_of_a_redis_that_evicts(settings: Settings, node: InProcessNode) -> None:
    redis = node.core.redis.commands
    await redis.config_set("maxmemory-policy", "allkeys-lru")
    try:
        with capture_logs() as lines:
            await starting.look(settings, node.core.databases, redis)
        assert any("allkeys-lru" in line.get("what", "") for line in lines)
    finally:
        await redis.config_set("maxmemory-policy", "noeviction")
