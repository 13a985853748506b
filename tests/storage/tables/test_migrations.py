"""Histories lead to exactly the tables that the code knows, again and again, and nodes insist on them."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock

import pytest
from alembic import command as alembic_command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from pydantic import SecretStr
from sqlalchemy import Connection, Table
from sqlalchemy.ext.asyncio import AsyncConnection

from gameserver import app as application
from gameserver.config.settings import Settings
from gameserver.rules.errors import DatabaseUnavailable
from gameserver.stack.processes.ports import free_port
from gameserver.storage import tables
from gameserver.storage.postgres import sole_locks
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.driver import DriverConnection
from gameserver.storage.postgres.locks import MIGRATING
from gameserver.storage.sharding import provision
from gameserver.storage.sharding.digest import moved_tables
from gameserver.storage.slots.slot_map import IncompleteMap
from gameserver.storage.tables import migrations
from gameserver.storage.tables.migrations import OutdatedDatabase
from tests.support.command_line import CommandLine
from tests.support.deployment import connected
from tests.support.nodes import toml_of
from tests.support.servers import Servers
from tests.support.wait import wait_until

SHAPE = """
select c.relname::text, 'column', a.attname::text, format_type(a.atttypid, a.atttypmod) ||
    case when a.attnotnull then ' not null' else '' end || coalesce(' ' || pg_get_expr(d.adbin, d.adrelid), '')
from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
union all
select c.relname, 'constraint', o.conname, pg_get_constraintdef(o.oid)
from pg_constraint o join pg_class c on c.oid = o.conrelid
where c.relnamespace = 'public'::regnamespace and not c.relispartition
union all
select c.relname, 'index', i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid)
from pg_index i join pg_class c on c.oid = i.indrelid
where c.relnamespace = 'public'::regnamespace and not c.relispartition
union all
select c.relname, 'table', c.relkind::text, coalesce(c.reloptions::text, '') || coalesce(pg_get_partkeydef(c.oid), '')
from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
"""


async def shape(url: SecretStr) -> set[tuple[str, ...]]:
    """Columns, constraints, indexes and options of every table but the histories' own and the ledger's partitions."""
    async with connected(url) as connection:
        return {tuple(row) for row in await connection.fetch(SHAPE) if not row[0].startswith("alembic_version_")}


@pytest.fixture
async def empty(servers: Servers) -> AsyncIterator[Settings]:
    """A deployment whose databases have no tables."""
    await servers.administration.everywhere("create database empty_one owner gameserver")
    yield servers.settings("empty_one")
    servers.drop("empty_one")


BEFORE = {"control": "head", "accounts": "head", "items": "head", "players": "players_0020"}
"""Revisions of each group before the players' table got a column."""


def group_of(config: Config) -> str:
    return str(config.attributes["group"])


async def earlier(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Brings the databases to BEFORE; they weren't told who they are then."""
    upgrade_to = alembic_command.upgrade
    with monkeypatch.context() as before:
        before.setattr(alembic_command, "upgrade", lambda config, _: upgrade_to(config, BEFORE[group_of(config)]))
        before.setattr(provision, "introduce", AsyncMock())
        await provision.migrate(settings)


async def create_all(database: Database) -> None:
    """The tables, with the functions that an index is made of."""
    history = ScriptDirectory(str(migrations.FOLDER), version_locations=[str(migrations.FOLDER / "players/versions")])
    async with database.engine.begin() as connection:
        for function in history.get_revision("players_0020").module.functions("pg_c_utf8"):
            await connection.exec_driver_sql(function)
        folded = history.get_revision("players_0026").module.FOLDED
        await connection.exec_driver_sql(folded.format(collation=' collate pg_catalog."pg_c_utf8"'))
        for metadata in tables.METADATA.values():
            await connection.run_sync(metadata.create_all)


async def test_the_histories_heads_are_the_tables_that_the_code_knows(settings: Settings, empty: Settings) -> None:
    databases = provision.open_databases(empty, patient=True)
    await create_all(databases["one"])
    await databases.close()
    assert await shape(settings.database_url("one")) == await shape(empty.database_url("one"))


@pytest.mark.parametrize("group", ["control", "accounts", "players", "items"])
async def test_alembic_finds_nothing_to_add_to_a_history(settings: Settings, group: str) -> None:
    databases = provision.open_databases(settings)
    names = {table.name for table in tables.METADATA[group].tables.values()}

    def is_ours(table: Any, name: str | None, kind: str, *_: object) -> bool:
        return (
            kind != "table" or name in names or (isinstance(table, Table) and table.metadata is tables.METADATA[group])
        )

    def compare(connection: Connection) -> list[Any]:
        options = {"compare_type": True, "compare_server_default": True, "include_object": is_ours}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), tables.METADATA[group]))

    async with databases["one"].engine.connect() as connection:
        assert await connection.run_sync(compare) == []
    await databases.close()


MADE = re.compile(r"create_table\(\s*f?\"(\w+)\"|create table (?:if not exists )?(\w+)")
INDEXED = re.compile(
    r"create_index\(\s*\"\w+\",\s*\"(\w+)\""
    r"|create (?:unique )?index (?!concurrently)(?:if not exists )?\w+ on (?!only )(\w+)"
)
"""Of the text of a migration: the tables that it makes, and those that it builds an index on while nobody may write."""


@pytest.mark.parametrize("group", ["control", "accounts", "players", "items"])
def test_no_migration_holds_up_writes_while_it_builds_an_index_of_a_table_that_may_be_full(group: str) -> None:
    held_up = {}
    for file in sorted((migrations.FOLDER / group / "versions").glob("*.py")):
        source = file.read_text()
        made = {"".join(names) for names in MADE.findall(source)}
        if others := {"".join(names) for names in INDEXED.findall(source)} - made:
            held_up[file.name] = others
    assert not held_up


async def state(settings: Settings) -> list[Any]:
    rows: list[Any] = []
    for name in settings.databases:
        async with connected(settings.database_url(name)) as connection:
            names = ["players_owned_slots", "accounts_owned_slots", "alembic_version_players"]
            names += ["slots", "alembic_version_control"] if name == settings.control.database else []
            rows += [sorted(map(tuple, await connection.fetch(f"table {table}"))) for table in names]
    return rows


async def command(command_line: CommandLine, settings: Settings, folder: Path, *words: str) -> tuple[int, str]:
    """The end of a `gameserver` command, and what it said."""
    config = folder / "config.toml"
    config.write_text(toml_of(settings, free_port()))
    done = await command_line.gameserver(*words, "--config", str(config))
    return done.code, done.text


async def test_migrating_twice_at_a_time_and_again_leads_to_the_same(
    command_line: CommandLine, empty: Settings, tmp_path: Path
) -> None:
    ends = await asyncio.gather(*(command(command_line, empty, tmp_path, "migrate") for _ in range(2)))
    assert [status for status, _ in ends] == [0, 0], ends
    first = await state(empty)
    await provision.migrate(empty)
    assert await state(empty) == first
    owned = [row for rows in (first[0], first[-2]) for row in rows]
    assert len(owned) >= 64
    async with application.open_core(empty) as core:
        assert {core.slots.owner("players", slot).name for slot in range(64)} == {"one", "two"}


async def test_play_goes_on_while_a_migration_waits_for_a_table_that_an_export_reads(
    empty: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    await earlier(empty, monkeypatch)
    monkeypatch.setattr(migrations, "LOCK_TIMEOUT", "50ms")
    monkeypatch.setattr(migrations, "REST_SECONDS", 0.05)
    async with connected(empty.database_url("one")) as export, connected(empty.database_url("one")) as play:
        await export.execute("begin; select from players")
        upgrade = asyncio.create_task(provision.migrate(empty))

        async def waits() -> bool:
            asked = "select count(*) from pg_locks where not granted and mode = 'AccessExclusiveLock'"
            return bool(await play.fetchval(asked))

        for _ in range(2):
            await wait_until(waits, what="the migration waits for the export")
            await play.execute("set lock_timeout = '1s'; update players set hp = hp")
        assert not upgrade.done()
        await export.execute("commit")
        await upgrade
        assert await play.fetchval("select count(*) from pg_attribute where attname = 'seen' and not attisdropped") == 1


async def test_every_slot_of_a_group_is_owned_by_the_one_database_that_the_map_names(settings: Settings) -> None:
    async with application.open_core(settings) as core:
        for group in ("accounts", "players"):
            owned: list[tuple[int, str]] = []
            for name in ("one", "two"):
                async with connected(core.databases[name].url) as connection:
                    rows = await connection.fetch(f"select slot from {group}_owned_slots where owned")
                    owned += [(row["slot"], name) for row in rows]
            assert sorted(owned) == [(slot, core.slots.owner(group, slot).name) for slot in range(64)]


async def test_a_node_refuses_databases_without_tables_and_names_each_with_what_is_missing(
    command_line: CommandLine, empty: Settings, tmp_path: Path
) -> None:
    status, output = await command(command_line, empty, tmp_path, "serve")
    assert status == 1
    for database, group in (("one", "control"), ("one", "accounts"), ("one", "players"), ("two", "players")):
        wanted = f"database {database}: its {group} tables are at nothing, this code needs {migrations.head(group)}"
        assert wanted in output
    assert "gameserver migrate" in output


@pytest.mark.parametrize("revision", ["players_0000", "players_9999"])
async def test_a_node_refuses_the_one_database_that_isnt_at_its_head(settings: Settings, revision: str) -> None:
    async with connected(settings.database_url("two")) as connection:
        await connection.execute("update alembic_version_players set version_num = $1", revision)
    with pytest.raises(OutdatedDatabase) as refused:
        async with application.open_core(settings):
            pass
    assert f"database two: its players tables are at {revision}" in str(refused.value)
    assert "database one" not in str(refused.value)


async def test_a_node_refuses_a_map_with_a_slot_without_an_owner_or_of_a_database_that_the_settings_lack(
    settings: Settings,
) -> None:
    for change in (
        """update slots set database = 'three' where "group" = 'players' and slot = 5""",
        """delete from slots where "group" = 'players' and slot = 5""",
    ):
        async with connected(settings.database_url("one")) as connection:
            await connection.execute(change)
        with pytest.raises(IncompleteMap, match="players"):
            async with application.open_core(settings):
                pass


@pytest.mark.parametrize("group", ["accounts", "players", "items"])
def test_what_moves_with_a_slot_has_one(group: str) -> None:
    without = [table.name for table in moved_tables(group) if "slot" not in table.columns]
    assert not without


async def test_a_migration_doesnt_wait_for_ever_for_another_one(
    empty: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "TURN_WAITS_SECONDS", 0.3)
    async with connected(empty.database_url("one")) as other:
        await other.execute(f"select pg_advisory_lock({MIGRATING})")
        with pytest.raises(DatabaseUnavailable, match="under way for too long"):
            await provision.migrate(empty)
    await provision.migrate(empty)


@pytest.mark.parametrize("amid", ["", "a statement"])
async def test_a_migration_that_was_suspended_loses_its_turn(
    empty: Settings, monkeypatch: pytest.MonkeyPatch, amid: str
) -> None:
    monkeypatch.setattr(sole_locks, "FROZEN", timedelta(seconds=0.3))
    has_turn, wakes = asyncio.Event(), asyncio.Event()

    async def freeze(connection: AsyncConnection, *_: object) -> None:
        if amid:
            driver = (await connection.get_raw_connection()).driver_connection
            assert isinstance(driver, DriverConnection)
            await driver.prepare("select $1::int")
        has_turn.set()
        await wakes.wait()

    with monkeypatch.context() as suspended:
        suspended.setattr(migrations, "IDLE", "1s")
        suspended.setattr(migrations, "_upgrade_patiently", freeze)
        first = asyncio.create_task(provision.migrate(empty))
        await has_turn.wait()
    await provision.migrate(empty)
    wakes.set()
    with pytest.raises(DatabaseUnavailable):
        await first
