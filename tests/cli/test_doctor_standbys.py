"""`gameserver doctor` about replication, on real servers: what commits wait for, and why a replica is of no use."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from pydantic import SecretStr

from gameserver.app import examine
from gameserver.config.servers import DatabaseSettings, ReplicaSettings
from gameserver.config.settings import Settings
from gameserver.stack.processes.ports import free_port
from gameserver.stack.servers.postgres import PostgresServer
from gameserver.stack.servers.replica import PostgresReplica
from gameserver.storage.operators.condition import Symptom
from tests.support.deployment import connected
from tests.support.replicas import standing_replica
from tests.support.servers import Servers
from tests.support.wait import wait_until


@pytest.fixture(scope="module")
def replica(servers: Servers) -> Iterator[PostgresReplica]:
    with standing_replica(servers, "one-watched") as made:
        yield made


async def tell(server: PostgresServer, *statements: str) -> None:
    async with connected(SecretStr(server.superuser_url)) as connection:
        for statement in statements:
            await connection.execute(statement)


@asynccontextmanager
async def waiting_for(server: PostgresServer, names: str) -> AsyncIterator[None]:
    """While the server's commits wait for these standbys."""
    await tell(server, f"alter system set synchronous_standby_names = '{names}'", "select pg_reload_conf()")
    try:
        yield
    finally:
        await tell(server, "alter system reset synchronous_standby_names", "select pg_reload_conf()")


async def found(settings: Settings, name: str, level: str, word: str) -> list[Symptom]:
    (server,) = [server for server in await examine(settings, 1) if server.name == name]
    return [symptom for symptom in server.symptoms if symptom.level == level and word in symptom.problem]


async def test_what_commits_wait_for_is_looked_for(
    servers: Servers, settings: Settings, replica: PostgresReplica
) -> None:
    one = servers.postgres["one"]
    async with waiting_for(one, '"one-watched"'):

        async def waits() -> bool:
            (server,) = [server for server in await examine(settings, 1) if server.name == "one"]
            return [row["sync_state"] for row in server.facts["standbys"]] == ["sync"]

        await wait_until(waits, 20, "the standby is the one that commits wait for")
        assert not await found(settings, "one", "error", "commits wait")
    async with waiting_for(one, '"somebody-else"'):

        async def is_missed() -> bool:
            return bool(await found(settings, "one", "error", "nothing is written"))

        await wait_until(is_missed, 20, "the standby is missed")


async def test_the_copy_of_a_move_is_no_standby(servers: Servers, settings: Settings) -> None:
    one = servers.postgres["one"]
    source, target = (settings.database_url(name) for name in ("one", "two"))
    async with connected(source) as connection:
        await connection.execute("create publication gs_test_move_9 for table players")
    address = source.get_secret_value()
    async with connected(target) as connection:
        await connection.execute(
            f"create subscription gs_test_move_9 connection '{address}' publication gs_test_move_9"
        )
        try:
            async with waiting_for(one, "ANY 1 (*)"):

                async def is_named() -> bool:
                    return bool(await found(settings, "one", "error", "gs_test_move_9, which is no standby"))

                await wait_until(is_named, 20, "the copy is named")
        finally:
            await connection.execute("drop subscription gs_test_move_9")
    assert not await found(settings, "two", "error", "")


def followed(settings: Settings, url: str) -> Settings:
    """With a replica of `one` at this URL."""
    one = DatabaseSettings(
        url=settings.database_url("one"), allow_unsafe=True, replicas=(ReplicaSettings(url=SecretStr(url)),)
    )
    return settings.model_copy(update={"databases": {**settings.databases, "one": one}})


def url_of(server: PostgresServer, settings: Settings, port: int | None = None) -> str:
    """The deployment's database on this server, or behind this port."""
    base, _, database = settings.database_url("one").get_secret_value().rpartition("/")
    return base.replace(f":{base.rsplit(':', 1)[1]}", f":{port or server.port}") + f"/{database}"


async def test_a_replica_says_itself_why_it_is_behind(settings: Settings, replica: PostgresReplica) -> None:
    chosen = followed(settings, url_of(replica, settings))
    await tell(replica, "select pg_wal_replay_pause()")
    try:
        # It must have something to replay, for it to be behind.
        async with connected(settings.database_url("one")) as connection:
            await connection.execute("create table written (value int)")
        assert [symptom.remedy for symptom in await found(chosen, "one-replica-1", "warning", "replay is paused")]
    finally:
        await tell(replica, "select pg_wal_replay_resume()")

    async def is_well() -> bool:
        return not await found(chosen, "one-replica-1", "warning", "") + await found(
            chosen, "one-replica-1", "error", ""
        )

    await wait_until(is_well, 20, "the replica is up to date")


async def test_a_replica_isnt_blamed_for_a_database_that_is_away(settings: Settings, replica: PostgresReplica) -> None:
    away = DatabaseSettings(
        url=SecretStr(f"postgresql://gameserver:word@127.0.0.1:{free_port()}/game"),
        replicas=(ReplicaSettings(url=SecretStr(url_of(replica, settings))),),
    )
    chosen = settings.model_copy(update={"databases": {**settings.databases, "one": away}})
    (symptom,) = await found(chosen, "one-replica-1", "warning", "can't be compared with one")
    assert symptom.remedy == "look at one first"
    assert not await found(chosen, "one-replica-1", "error", "")


async def test_an_address_with_several_servers_behind_it_is_no_replicas(
    servers: Servers, settings: Settings, replica: PostgresReplica
) -> None:
    ports = itertools.chain([replica.port], itertools.cycle((servers.postgres["one"].port, replica.port)))

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", next(ports))

        async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while data := await source.read(1 << 16):
                sink.write(data)
            sink.close()

        await asyncio.gather(copy(reader, back), copy(there, writer), return_exceptions=True)

    async with await asyncio.start_server(pass_on, "127.0.0.1", 0) as balancer:
        port = balancer.sockets[0].getsockname()[1]
        (symptom,) = await found(followed(settings, url_of(replica, settings, port)), "one-replica-1", "error", "")
    assert "leads to 2 servers" in symptom.problem
    assert "a URL of its own" in symptom.remedy


async def test_a_database_that_waits_for_no_standby_is_named_where_the_settings_want_one(settings: Settings) -> None:
    wanted = DatabaseSettings(url=settings.database_url("two"), allow_unsafe=True, synchronous=True)
    chosen = settings.model_copy(update={"databases": {**settings.databases, "two": wanted}})
    assert await found(chosen, "two", "error", "wait for no standby")
    assert not await found(settings, "two", "error", "wait for no standby")
