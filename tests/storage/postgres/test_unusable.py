"""What is wrong with a database is told apart, and said to operators; players hear that it can't be used."""

import asyncio
from contextlib import asynccontextmanager
from copy import copy

import asyncpg
import pytest
from pydantic import SecretStr

from gameserver.config.settings import Settings
from gameserver.rules.errors import DatabaseUnavailable
from gameserver.storage.postgres import causes
from gameserver.storage.postgres.database import CONNECT_SECONDS, Database
from gameserver.storage.postgres.driver import DriverConnection
from gameserver.storage.postgres.patience import UNHURRIED, UNHURRIED_READS
from gameserver.storage.sharding import provision
from gameserver.storage.tables.migrations import OutdatedDatabase
from tests.support.deployment import connected, working
from tests.support.servers import Servers, database_of


def problem(error: DatabaseUnavailable) -> str:
    """What operators read."""
    (note,) = error.__notes__
    return note


async def refusal(url: str) -> DatabaseUnavailable:
    database = Database("one", SecretStr(url))
    try:
        with pytest.raises(DatabaseUnavailable) as raised:
            await database.ask("select 1")
        return raised.value
    finally:
        await database.engine.dispose()


@pytest.fixture
def url(servers: Servers) -> str:
    return servers.postgres["one"].url


async def test_a_wrong_password_is_not_silence(servers: Servers, url: str) -> None:
    error = await refusal(url.replace(":test@", ":secret-and-wrong@"))
    assert "refuses the role or its password" in problem(error)
    assert "secret-and-wrong" not in problem(error)
    assert error.detail == "The database one can't be used right now."
    copied = copy(error)  # as for each caller that shared a read
    assert (problem(copied), copied.detail, copied.retry_after) == (problem(error), error.detail, 1)


async def test_a_pool_whose_new_connection_is_doubted_at_once_too_is_away_and_back_again(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database("one", SecretStr(url))
    try:
        assert await database.ask("select 1")
        with monkeypatch.context() as failing:
            failing.setattr(DriverConnection, "is_usable", lambda _: False)
            for _ in range(3):
                with pytest.raises(DatabaseUnavailable):
                    await database.ask("select 1")
        assert await database.ask("select 1")
    finally:
        await database.engine.dispose()


async def test_a_missing_database_is_named(url: str) -> None:
    error = await refusal(url.rsplit("/", 1)[0] + "/missing")
    assert "has no database of this name on its server" in problem(error)
    assert '"missing" does not exist' in problem(error)


async def test_a_role_without_a_connection_left_is_told(servers: Servers, url: str) -> None:
    async with connected(SecretStr(servers.postgres["one"].superuser_url)) as superuser:
        await superuser.execute("alter role gameserver connection limit 0")
        try:
            assert "has no connection left: raise max_connections" in problem(await refusal(url))
        finally:
            await superuser.execute("alter role gameserver connection limit -1")


async def test_nothing_that_listens_is_told_from_a_name_without_address() -> None:
    assert "nothing listens" in problem(await refusal("postgresql://a:b@127.0.0.1:1/c"))
    assert "has no address" in problem(await refusal("postgresql://a:b@no.such.host.invalid/c"))


def test_each_cause_has_its_own_sentence() -> None:
    """None stands behind the sentence of a wider kind of error, which would be said in its place."""
    kinds = [cause.kinds for cause in causes._CAUSES]
    for number, wider in enumerate(kinds):
        for later in kinds[number + 1 :]:
            assert not any(issubclass(kind, wider) for kind in later), (wider, later)


def test_each_cause_has_what_is_wrong_and_a_remedy() -> None:
    for cause in causes._CAUSES:
        assert ":" not in cause.what
        assert cause.remedy
    assert causes.told("one", causes.NoPrimary("x"))[1] != causes.told("one", causes.Unfit("x"))[1]


async def test_a_statement_that_is_ended_is_not_called_a_restart(url: str) -> None:
    database = Database("one", SecretStr(url))

    async def sleep() -> None:
        async with database.transaction() as connection:
            await connection.exec_driver_sql("set local statement_timeout = 50")
            await connection.exec_driver_sql("select pg_sleep(10)")

    try:
        with pytest.raises(DatabaseUnavailable) as raised:
            await sleep()
        assert "took too long for a statement" in problem(raised.value)
    finally:
        await database.engine.dispose()


@pytest.mark.parametrize("patient", [False, True], ids=["of a node", "of a command"])
async def test_time_outs_of_the_database_or_the_role_end_nothing(
    servers: Servers, settings: Settings, *, patient: bool
) -> None:
    name = database_of(settings.database_url("one"))
    limits = ("statement_timeout", "lock_timeout", "idle_session_timeout", "idle_in_transaction_session_timeout")
    async with connected(SecretStr(servers.postgres["one"].superuser_url)) as superuser:
        for limit in limits:
            await superuser.execute(f"alter database {name} set {limit} = 1")
            await superuser.execute(f"alter role gameserver in database {name} set {limit} = 2")
    await provision.migrate(settings)
    databases = provision.open_databases(settings, patient=patient)
    try:
        for settled in [{}] if not patient else [{}, UNHURRIED, UNHURRIED_READS]:
            connection = await databases["one"].connect_unjudged(settled)
            held = [await connection.fetchval(f"show {limit}") for limit in limits]
            connection.terminate()
            assert not {"1ms", "2ms"} & set(held), (settled, held)
    finally:
        await databases.close()
        async with connected(SecretStr(servers.postgres["one"].superuser_url)) as superuser:
            await superuser.execute(f"alter role gameserver in database {name} reset all")


@asynccontextmanager
async def silent():
    """A port that takes connections and never answers."""
    held = []
    server = await asyncio.start_server(lambda _, writer: held.append(writer), "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    for writer in held:
        writer.close()


async def test_silence_is_called_silence() -> None:
    async with silent() as port:
        async with asyncio.timeout(CONNECT_SECONDS + 2):
            error = await refusal(f"postgresql://a:b@127.0.0.1:{port}/c?sslmode=disable")
    assert "does not answer in time" in problem(error)
    assert error.detail == "The database one does not answer."


async def test_a_search_path_of_the_database_or_the_role_hides_no_tables(servers: Servers, settings: Settings) -> None:
    name = database_of(settings.database_url("one"))
    async with connected(SecretStr(servers.postgres["one"].superuser_url)) as superuser:
        await superuser.execute(f"alter database {name} set search_path = elsewhere")
        await superuser.execute(f"alter role gameserver in database {name} set search_path = anywhere")
    async with working(settings) as core:
        assert await core.commands.accounts.room.claims.overdue(1) == []
        assert await core.databases["one"].ask("select current_schema() as schema") == [("public",)]


async def test_tables_that_a_search_path_led_elsewhere_are_named_and_not_made_again(servers: Servers) -> None:
    database = await servers.bare()
    settings = servers.settings(database)
    url = settings.database_url("one").get_secret_value()
    connection = await asyncpg.connect(url)
    await connection.execute(
        "create schema elsewhere; create table elsewhere.alembic_version_players (version_num text)"
    )
    await connection.close()
    with pytest.raises(OutdatedDatabase, match=r"players tables lie in the schema elsewhere.*: move them"):
        await provision.migrate(settings)
    databases = provision.open_databases(settings)
    with pytest.raises(OutdatedDatabase, match="schema elsewhere"):
        await provision.require_ready(settings, databases)
    await databases.close()
    servers.drop(database)
