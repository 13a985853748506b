"""A database in which tables can't be made is refused before anything is, and what Postgres refuses is one sentence."""

from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path

import pytest
from pydantic import SecretStr

from gameserver.config.settings import Settings
from gameserver.rules.errors import DatabaseUnavailable
from gameserver.storage.sharding import provision
from gameserver.storage.tables import migrations
from gameserver.storage.tables.migrations import OutdatedDatabase
from tests.storage.tables.test_migrations import command, earlier
from tests.support.command_line import CommandLine
from tests.support.deployment import connected
from tests.support.servers import Servers, database_of

OWNED = "create database {} owner gameserver"
FOREIGN = "create database {}"
ASCII = "create database {} owner gameserver template template0 encoding 'SQL_ASCII' locale_provider libc locale 'C'"
_numbers = count(1)
NO_RIGHT = (
    "database two: the role gameserver may not create tables there: make the role the owner of the database, or grant "
    "create on schema public to it"
)


@pytest.fixture
async def refused(servers: Servers) -> AsyncIterator[Settings]:
    """A deployment whose databases a test makes."""
    name = f"refused_{next(_numbers)}"
    yield servers.settings(name)
    servers.drop(name)


async def make(servers: Servers, settings: Settings, *, one: str, two: str) -> None:
    for name, statement in (("one", one), ("two", two)):
        async with connected(SecretStr(servers.postgres[name].superuser_url)) as superuser:
            await superuser.execute(statement.format(database_of(settings.database_url(name))))


async def has_tables(settings: Settings, name: str) -> bool:
    async with connected(settings.database_url(name)) as connection:
        return bool(await connection.fetchval("select to_regclass('slots') is not null"))


@pytest.mark.parametrize(
    ("two", "sentence"),
    [(FOREIGN, NO_RIGHT), (ASCII, "database two: its encoding is SQL_ASCII: create the database with encoding UTF8")],
)
async def test_tables_that_cant_be_made_in_one_database_are_made_in_none(
    servers: Servers, refused: Settings, two: str, sentence: str
) -> None:
    await make(servers, refused, one=OWNED, two=two)
    with pytest.raises(OutdatedDatabase) as raised:
        await provision.migrate(refused)
    assert str(raised.value) == f"{sentence}."
    assert not await has_tables(refused, "one")


async def test_the_command_says_what_to_do_about_each_database(
    command_line: CommandLine, servers: Servers, refused: Settings, tmp_path: Path
) -> None:
    await make(servers, refused, one=ASCII, two=FOREIGN)
    code, text = await command(command_line, refused, tmp_path, "migrate")
    assert code == 1
    assert "create the database with encoding UTF8" in text
    assert "Traceback" not in text
    control = refused.model_copy(update={"control": refused.control.model_copy(update={"database": "two"})})
    assert await command(command_line, control, tmp_path, "migrate") == (1, f"{NO_RIGHT}.\n")


async def test_what_postgres_refuses_amid_a_migration_is_one_sentence_that_names_it(
    servers: Servers, refused: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make(servers, refused, one=OWNED, two=OWNED)
    await earlier(refused, monkeypatch)
    name = database_of(refused.database_url("two"))
    superuser_url = servers.postgres["two"].superuser_url.rsplit("/", 1)[0] + f"/{name}"
    async with connected(SecretStr(superuser_url)) as superuser:
        await superuser.execute("alter table players owner to current_user")
        with pytest.raises(OutdatedDatabase) as raised:
            await provision.migrate(refused)
        assert str(raised.value) == (
            "The database two denies this role what it needs: look at its rights there "
            "(must be owner of table players). Its players tables were on their way to players_0021: "
            "run `gameserver migrate` again when that is mended."
        )
        await superuser.execute("alter table players owner to gameserver")
    await provision.migrate(refused)


async def test_a_lock_that_a_migration_doesnt_get_is_told_with_the_migration(
    servers: Servers, refused: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make(servers, refused, one=OWNED, two=OWNED)
    await earlier(refused, monkeypatch)
    monkeypatch.setattr(migrations, "LOCK_TIMEOUT", "50ms")
    monkeypatch.setattr(migrations, "LOCKED_SECONDS", 0.0)
    async with connected(refused.database_url("two")) as export:
        await export.execute("begin; select from players")
        with pytest.raises(DatabaseUnavailable) as raised:
            await provision.migrate(refused)
    said = " ".join(raised.value.__notes__)
    assert said.startswith("The database two took too long for a lock")
    assert "on their way to players_0021" in said


async def test_tables_of_a_newer_version_are_left_alone(settings: Settings) -> None:
    async with connected(settings.database_url("two")) as connection:
        await connection.execute("update alembic_version_players set version_num = 'players_9999'")
    with pytest.raises(OutdatedDatabase, match=r"two: its players tables are at players_9999, .* a newer one"):
        await provision.migrate(settings)


async def test_weeks_of_the_ledger_that_cant_be_made_are_told(servers: Servers, settings: Settings) -> None:
    name = database_of(settings.database_url("two"))
    async with connected(settings.database_url("two")) as connection:
        await connection.execute("drop table ledger cascade; create table ledger (id int) partition by range (id)")
    async with connected(SecretStr(servers.postgres["two"].superuser_url)) as superuser:
        await superuser.execute(f"alter database {name} owner to current_user")
    with pytest.raises(OutdatedDatabase, match=r"The database two denies .*permission denied for schema public"):
        await provision.migrate(settings)
