"""A database with several addresses: the primary is found among them, and nothing stays with a former one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from unittest.mock import AsyncMock

import asyncpg
import pytest
from prometheus_client import REGISTRY
from pydantic import SecretStr
from sqlalchemy import text

from gameserver.app import examine
from gameserver.config.servers import DatabaseSettings, ReplicaSettings
from gameserver.config.settings import Settings
from gameserver.rules.errors import DatabaseUnavailable
from gameserver.stack.processes.ports import free_port
from gameserver.stack.servers.postgres import PostgresServer
from gameserver.stack.servers.replica import PostgresReplica
from gameserver.storage.postgres import databases, racing
from gameserver.storage.postgres.causes import Unfit
from gameserver.storage.postgres.database import Database, Judges
from gameserver.storage.postgres.databases import Databases
from gameserver.storage.postgres.driver import DriverConnection, Lineage
from gameserver.storage.postgres.link import Link
from gameserver.storage.sharding.primaries import PrimaryMemory, record
from gameserver.waiting import cancel_and_wait
from tests.support.client import Api
from tests.support.deployment import connected
from tests.support.freezing import frozen
from tests.support.nodes import start_node
from tests.support.replicas import replica_of, url_of
from tests.support.servers import Servers
from tests.support.switches import switched
from tests.support.wait import wait_until

ROLE = "postgresql://gameserver:test@"
WHERE = "select inet_server_port()"
READ_ONLY = "default_transaction_read_only"


@asynccontextmanager
async def running_replica(servers: Servers, name: str) -> AsyncIterator[PostgresReplica]:
    made = replica_of(servers.postgres["one"], servers.folder, name)
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


def url_at(*ports: int) -> str:
    return f"{ROLE}{','.join(f'127.0.0.1:{port}' for port in ports)}/gameserver"


@asynccontextmanager
async def database_at(*ports: int) -> AsyncIterator[Database]:
    """A database of these addresses."""
    opened = Database("one", SecretStr(url_at(*ports)))
    try:
        yield opened
    finally:
        await opened.dispose()


async def problem_of(database: Database) -> str:
    """What operators read of why it can't be used."""
    with pytest.raises(DatabaseUnavailable) as raised:
        await database.ask(WHERE)
    (note,) = raised.value.__notes__
    return note


async def port_of(database: Database) -> int:
    ((port,),) = await database.ask(WHERE)
    return int(port)


async def test_the_primary_is_found_behind_a_silent_address_and_a_replica(servers: Servers) -> None:
    one = servers.postgres["one"].port
    async with running_replica(servers, "found") as replica, switched(None) as silent:
        async with database_at(silent.port, replica.port, one) as database:
            assert await port_of(database) == one
            assert database.dialer.number == 3
            labels = {"database": "one", "address": f"127.0.0.1:{one}"}
            assert REGISTRY.get_sample_value("gameserver_database_primary", labels) == 1
        async with database_at(silent.port, replica.port) as database:
            problem = await problem_of(database)
            assert "has no primary among its 2 addresses (" in problem
            assert f"127.0.0.1:{silent.port} does not answer in time" in problem
            assert f"127.0.0.1:{replica.port} is a replica there" in problem
        async with database_at(replica.port) as database:
            assert "is a replica there: the URL must lead to the primary" in await problem_of(database)


async def test_what_every_address_refuses_is_said(servers: Servers) -> None:
    one, two = (servers.postgres[name].port for name in ("one", "two"))
    wrong = SecretStr(f"postgresql://gameserver:wrong@127.0.0.1:{one},127.0.0.1:{two}/gameserver")
    assert "refuses the role or its password" in await problem_of(Database("one", wrong))
    async with database_at(free_port(), free_port()) as database:
        assert "nothing listens" in await problem_of(database)
    unusable = Database("one", SecretStr("postgresql://gameserver@one,/gameserver"))
    assert "its address 2 isn't a host" in await problem_of(unusable)


async def test_a_password_file_has_a_line_for_each_address(servers: Servers, tmp_path: Path) -> None:
    one, passwords = servers.postgres["one"].port, tmp_path / "passwords"
    silent = free_port()
    passwords.write_text(f"127.0.0.1:{silent}:*:*:wrong\n127.0.0.1:{one}:*:gameserver:test\n")
    passwords.chmod(0o600)
    url = SecretStr(f"postgresql://gameserver@127.0.0.1:{silent},127.0.0.1:{one}/gameserver")
    database = Database("one", url, passwords)
    assert await port_of(database) == one
    await database.dispose()


async def test_another_system_is_refused_at_the_same_address(servers: Servers) -> None:
    async with switched(servers.postgres["one"].port) as switch, database_at(switch.port) as database:
        first = await port_of(database)
        switch.to = servers.postgres["two"].port
        database.dialer.doubt()
        assert "is another one now, of the system" in await problem_of(database)
        switch.to = servers.postgres["one"].port
        assert await port_of(database) == first


@asynccontextmanager
async def taking_no_writes(server: PostgresServer) -> AsyncIterator[None]:
    """The server runs every transaction as a read-only one, as some do that are demoted."""
    async with connected(SecretStr(server.superuser_url)) as superuser:
        await superuser.execute(f"set {READ_ONLY} = off")
        await superuser.execute(f"alter system set {READ_ONLY} = on")
        try:
            await superuser.execute("select pg_reload_conf()")
            yield
        finally:
            await superuser.execute(f"alter system reset {READ_ONLY}")
            await superuser.execute("select pg_reload_conf()")


PROCESS = "select pg_backend_pid()"


async def refused_to_write(link: Link) -> bool:
    try:
        await (await link.open()).execute("create table written (); drop table written")
    except asyncpg.ReadOnlySQLTransactionError:
        return True
    return False


async def test_no_pool_and_no_link_keeps_a_connection_to_a_server_that_takes_no_more_writes(
    servers: Servers, settings: Settings
) -> None:
    database = Database("one", settings.database_url("one"))
    link, idle = Link(database, {}), Link(database, {})

    async def processes() -> set[int]:
        (row,), after = await database.ask(PROCESS), asyncio.get_running_loop().time() + 5
        async with database.report(after) as report:
            (reporting,) = await report.ask(text(PROCESS), {})
        return {row[0], reporting[0], await (await idle.open()).fetchval(PROCESS)}

    before = await processes()
    writer = await link.open()
    async with taking_no_writes(servers.postgres["one"]):
        await wait_until(lambda: refused_to_write(link), what="writes are refused")
        assert not writer.is_usable()
        assert "is read-only there" in await problem_of(database)
    assert before.isdisjoint(await processes())
    await link.close()
    await idle.close()
    await database.dispose()


async def test_a_promoted_replica_is_found_and_what_leads_to_the_former_primary_is_cut(servers: Servers) -> None:
    """The former primary takes no connection for a while, but goes on with those that it has."""
    one = servers.postgres["one"].port
    async with (
        running_replica(servers, "promoted") as replica,
        switched(one) as former,
        database_at(former.port, replica.port) as database,
    ):
        link, later = Link(database, {}), Link(database, {})
        held = await link.open()
        assert [await port_of(database), await held.fetchval(WHERE)] == [one, one]
        former.close()
        async with connected(SecretStr(replica.superuser_url)) as superuser:
            assert await superuser.fetchval("select pg_promote()")
        # As soon as anything needs a new connection.
        assert await (await later.open()).fetchval(WHERE) == replica.port
        assert held.is_closed()
        assert [await port_of(database), database.dialer.number] == [replica.port, 2]
        lineage = database.dialer.lineage
        assert lineage is not None
        assert lineage.timeline == 2
        # The former primary is there again, and the new one isn't: it isn't taken for the primary.
        await former.open()
        with frozen(replica):
            database.dialer.doubt()
            assert "has another primary since" in await problem_of(database)
        assert await port_of(database) == replica.port
        await link.close()
        await later.close()


async def test_a_newer_primary_is_noticed_though_the_former_one_goes_on_serving(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(racing, "NEWER_SECONDS", 2.5)
    one = servers.postgres["one"].port
    async with running_replica(servers, "newer") as replica, database_at(one, replica.port) as database:
        watched = Databases({"one": SecretStr(url_at(one, replica.port))})
        held = await watched["one"].connect({})
        watch = asyncio.create_task(watched.watch_primaries())
        async with connected(SecretStr(replica.superuser_url)) as superuser:
            assert await superuser.fetchval("select pg_promote()")
        await wait_until(held.is_closed, 20, "the connection to the former primary is cut")
        assert await port_of(watched["one"]) == replica.port
        await cancel_and_wait([watch])
        await watched.close()
        # Whoever knows neither takes the newer one.
        assert await port_of(database) == replica.port


async def test_a_newer_primary_behind_the_one_address_is_noticed_and_the_former_one_isnt_taken_again(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As behind a proxy, or a name of Kubernetes, that leads elsewhere after a failover and cuts nobody."""
    monkeypatch.setattr(databases, "LOOK_SECONDS", 0.1)
    one = servers.postgres["one"].port
    async with running_replica(servers, "behind") as replica, switched(one) as address:
        watched = Databases({"one": SecretStr(url_at(address.port))})
        held = await watched["one"].connect({})
        watch = asyncio.create_task(watched.watch_primaries())
        async with connected(SecretStr(replica.superuser_url)) as superuser:
            assert await superuser.fetchval("select pg_promote()")
        address.to = replica.port
        await wait_until(held.is_closed, 20, "the connection to the former primary is cut")
        assert await port_of(watched["one"]) == replica.port
        later = await watched["one"].connect({})
        address.to = one
        watched["one"].dialer.doubt()
        assert "has another primary since" in await problem_of(watched["one"])
        assert not later.is_closed()
        await cancel_and_wait([watch])
        later.terminate()
        await watched.close()


async def test_a_former_primary_isnt_taken_by_a_process_that_starts_while_its_successor_is_silent(
    servers: Servers, settings: Settings
) -> None:
    one = servers.postgres["one"].port

    async with running_replica(servers, "noted") as replica, AsyncExitStack() as stack:

        def opened() -> Databases:
            urls = {"control": settings.database_url("one"), "played": SecretStr(url_at(one, replica.port))}
            databases = Databases(urls)
            stack.push_async_callback(databases.close)
            return databases

        async with connected(SecretStr(replica.superuser_url)) as superuser:
            assert await superuser.fetchval("select pg_promote()")
        seen, without_memory, later = opened(), opened(), opened()
        assert await port_of(seen["played"]) == replica.port
        await PrimaryMemory(seen["control"], seen).note()
        with frozen(replica):
            former = await without_memory["played"].connect({})
            stack.callback(former.terminate)
            assert await former.fetchval(WHERE) == one
            await PrimaryMemory(without_memory["control"], without_memory).note()
            await PrimaryMemory(later["control"], later).recall()
            assert "has another primary since" in await problem_of(later["played"])
        assert await port_of(later["played"]) == replica.port
        # What was compared with the map counts, also after a restore by hand to an earlier timeline.
        restored, control = opened(), await without_memory["control"].connect({})
        stack.callback(control.terminate)
        await record(control, "played", former)
        await PrimaryMemory(restored["control"], restored).recall()
        with frozen(replica):
            assert await port_of(restored["played"]) == one


async def test_a_node_and_doctor_say_which_address_is_the_primary(servers: Servers, settings: Settings) -> None:
    several = settings.database_url("one").get_secret_value().replace("@", f"@127.0.0.1:{free_port()},")
    one = DatabaseSettings(url=SecretStr(several), allow_unsafe=True)
    settings = settings.model_copy(update={"databases": {**settings.databases, "one": one}})
    async with AsyncExitStack() as stack:
        node = await start_node(stack, settings)
        api = await stack.enter_async_context(Api(node.url))
        assert (await api.ask("GET", "/ready")).body == {"ready": True, "primaries": {"one": 2}}
        facts = {server.name: server.facts for server in await examine(settings, 1)}
        assert facts["one"]["primary"] == f"127.0.0.1:{servers.postgres['one'].port}"
        assert "primary" not in facts["two"]


async def lineage_of(port: int) -> Lineage:
    async with database_at(port) as database:
        await port_of(database)
        assert database.dialer.lineage is not None
        return database.dialer.lineage


@pytest.mark.parametrize("first", ["one", "two"])
async def test_the_system_that_was_seen_last_is_taken_among_primaries_of_several(servers: Servers, first: str) -> None:
    ports = [servers.postgres[name].port for name in (first, "two" if first == "one" else "one")]
    for port in ports:
        async with database_at(*ports) as database:
            database.dialer.remember(await lineage_of(port))
            assert await port_of(database) == port
    async with database_at(*ports) as database:
        assert "has primaries of several systems" in await problem_of(database)


async def test_another_system_than_was_seen_is_taken_only_if_all_answer_and_none_is_that(servers: Servers) -> None:
    one, two = (servers.postgres[name].port for name in ("one", "two"))
    last, former = await lineage_of(two), Lineage("7", 3)
    async with running_replica(servers, "strange") as replica:
        async with database_at(one, replica.port) as database:
            database.dialer.remember(former)
            assert await port_of(database) == one
        async with database_at(one, free_port()) as database:
            database.dialer.remember(former)
            assert "was of the system 7, and what takes writes" in await problem_of(database)
        async with database_at(two, replica.port) as database:
            # Its standby says of which system it is, and that isn't the primary's.
            database.dialer.remember(await lineage_of(one))
            assert f"is of {last.system}: correct the URL" in await problem_of(database)


async def test_a_database_that_was_judged_to_be_another_one_is_forgotten(servers: Servers) -> None:
    one, two = (servers.postgres[name].port for name in ("one", "two"))

    async def judge(_: Database, connection: DriverConnection) -> None:
        if await connection.fetchval(WHERE) == two:
            raise Unfit("It is another one.")

    async with switched(two) as switch:
        for judges in (Judges(judge, AsyncMock()), Judges(AsyncMock(), judge)):
            switch.to = two
            database = Database("one", SecretStr(url_at(switch.port)), judges=judges)
            assert "It is another one" in await problem_of(database)
            assert database.dialer.primary is None
            switch.to = one
            assert await port_of(database) == one
            switch.to = two
            database.dialer.doubt()
            assert "is another one now, of the system" in await problem_of(database)
            await database.dispose()


def with_more(settings: Settings, name: str, *ports: int) -> str:
    """The URL of a database with more addresses."""
    host, slash, rest = settings.database_url(name).get_secret_value().rpartition("/")
    return "".join([host, *(f",127.0.0.1:{port}" for port in ports), slash, rest])


async def test_doctor_asks_every_address_and_a_replica_that_may_lead_is_none_while_it_does(
    servers: Servers, settings: Settings
) -> None:
    silent = free_port()
    async with running_replica(servers, "asked") as replica:
        one, two = with_more(settings, "one", replica.port), with_more(settings, "two", replica.port, silent)
        both = [settings.database_url("one"), SecretStr(url_of(replica, settings))]
        made = {
            "one": DatabaseSettings(
                url=SecretStr(one), allow_unsafe=True, replicas=tuple(ReplicaSettings(url=url) for url in both)
            ),
            "two": DatabaseSettings(url=SecretStr(two), allow_unsafe=True),
        }
        examined = await examine(settings.model_copy(update={"databases": made}), 1)
        found = {server.name: server.symptoms for server in examined}
    said = [(each.level, each.problem) for each in found["two"] if "its address" in each.problem]
    assert [level for level, _ in said] == ["error", "warning"]
    assert f"its address 127.0.0.1:{replica.port} is of another system" in said[0][1]
    assert f"its address 127.0.0.1:{silent} refuses connections" in said[1][1]
    assert not [each for each in found["one"] if "its address" in each.problem]
    assert not [each for each in found["one-replica-2"] if each.level == "error"]
    assert "one-replica-1" not in found, "it leads"
