"""A primary that has a successor and doesn't know it: a read that allows no age is never answered by it."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack

import pytest
from pydantic import SecretStr

from gameserver.config.servers import DatabaseSettings
from gameserver.config.settings import Settings
from gameserver.stack.servers.replica import PostgresReplica
from gameserver.storage.postgres import databases
from tests.support.client import Answer, Api, Signed
from tests.support.deployment import connected, owner
from tests.support.nodes import InProcessNode, start_node
from tests.support.replicas import standing_replica, tell, url_of
from tests.support.servers import Servers
from tests.support.standby import missing_standby
from tests.support.switches import Switch, switched
from tests.support.wait import wait_until


@pytest.fixture
def successor(servers: Servers) -> Iterator[PostgresReplica]:
    """A replica of database `one`."""
    with standing_replica(servers, "successor") as standing:
        yield standing


@pytest.fixture
async def line(successor: PostgresReplica) -> AsyncIterator[Switch]:
    """The node's way to the replica; it is closed until a test opens it."""
    async with switched(successor.port) as switch:
        switch.close()
        yield switch


def with_both(settings: Settings, port: int) -> Settings:
    """The settings, with two addresses of `one`, the second at this port."""
    url = settings.database_url("one").get_secret_value()
    place, name = url.rsplit("/", 1)
    both = DatabaseSettings(url=SecretStr(f"{place},127.0.0.1:{port}/{name}"), allow_unsafe=True)
    return settings.model_copy(update={"databases": {**settings.databases, "one": both}})


@pytest.fixture
async def node(settings: Settings, line: Switch, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[InProcessNode]:
    """A node that doesn't look for newer primaries by itself."""
    monkeypatch.setattr(databases, "LOOK_SECONDS", 3600)
    async with AsyncExitStack() as stack:
        yield await start_node(stack, with_both(settings, line.port))


async def enter(api: Api, node: InProcessNode) -> Signed:
    """A player of database `one`."""
    while True:
        signed = await api.sign_up()
        if owner(node.core, int(signed.id)) == "one":
            return signed


async def read(api: Api, who: Signed, query: str = "") -> Answer:
    return await api.ask("GET", f"/v1/players/me{query}", token=who.token)


async def shows(server: PostgresReplica, settings: Settings, who: Signed) -> bool:
    async with connected(SecretStr(url_of(server, settings))) as connection:
        return bool(await connection.fetchval("select true from players where id = $1", int(who.id)))


@pytest.mark.soak
async def test_a_former_primary_never_answers_a_read_that_allows_no_age(
    api: Api, node: InProcessNode, servers: Servers, settings: Settings, successor: PostgresReplica, line: Switch
) -> None:
    """The standby of `one` leads and has taken a write; this node can't reach it, and keeps its connections."""
    who = await enter(api, node)
    for query in ("", "?max_staleness=0"):
        assert (await read(api, who, query)).body["version"] == 1
    await wait_until(lambda: shows(successor, settings, who), 20, "the replica has the player")
    async with missing_standby(servers, node.core):
        await tell(successor, "select pg_promote()")
        async with connected(SecretStr(url_of(successor, settings))) as connection:
            await connection.execute("update players set version = 2 where id = $1", int(who.id))
        # A plain read shows what the primary has that the node knows of.
        assert (await read(api, who)).body["version"] == 1
        for path in ("/v1/players/me?max_staleness=0", f"/v1/players?ids={who.id}&max_staleness=0"):
            refused = await api.ask("GET", path, token=who.token)
            assert (refused.status, refused.code) == (503, "database_unavailable")
            assert refused.body["detail"] == "No standby confirms that the primary still leads."
    # Once the node knows the successor, nothing else answers, though the former primary could confirm again.
    await line.open()
    await node.core.databases["one"].dialer.look({})
    assert node.core.databases["one"].dialer.number == 2
    after = await read(api, who, "?max_staleness=0")
    assert after.status == 503 or after.body["version"] == 2
