"""One Alembic history per table group, run on every database of the group."""

import asyncio
import contextlib
import functools
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import asyncpg
import structlog
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

import gameserver
from gameserver.rules.errors import Conflict, DatabaseUnavailable
from gameserver.storage.postgres import causes, versions
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.driver import DriverConnection
from gameserver.storage.postgres.faults import translated
from gameserver.storage.postgres.locks import MIGRATING
from gameserver.storage.postgres.sole_locks import SoleLock
from gameserver.storage.tables import requirements
from gameserver.storage.tables.groups import METADATA

_PACKAGE = Path(gameserver.__file__).parent
FOLDER = next(folder for folder in (_PACKAGE / "migrations", _PACKAGE.parent / "migrations") if folder.is_dir())
"""Of the histories: a wheel has them inside the package, a checkout beside it."""

TURN_SECONDS = 0.1
IDLE = "60s"
"""How long the one whose turn it is may do nothing; it rests for less."""
TURN_WAITS_SECONDS = 3600.0
"""For how long one waits for another: for longer than that may wait for a table, and then rewrite it."""
LOCK_TIMEOUT = "1s"
"""A migration that has another one in a statement of its own sets this back (players_0020)."""
REST_SECONDS = 5.0
LOCKED_SECONDS = 1200.0
"""For how long a migration tries to lock a table: for longer than an export may take."""
log = structlog.get_logger()


class OutdatedDatabase(Exception):
    """Databases aren't fit for nodes: not at their histories' heads, which they may be unable to come to, or not
    durable; the text names each."""


def _config(group: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.set_main_option("path_separator", "os")
    config.set_main_option("version_locations", str(FOLDER / group / "versions"))
    config.attributes["group"] = group
    return config


@functools.cache
def head(group: str) -> str:
    """The newest revision that this code knows of a group's tables."""
    return str(ScriptDirectory.from_config(_config(group)).get_current_head())


def knows(group: str, revision: str) -> bool:
    """Whether this code has a group's revision, at its head or before."""
    history = ScriptDirectory.from_config(_config(group)).walk_revisions()
    return any(step.revision == revision for step in history)


async def require_possible(database: Database, groups: Iterable[str]) -> None:
    """Refuses a database in which the tables of these groups have to be changed, and can't be.

    Raises OutdatedDatabase, DatabaseUnavailable.
    """
    with translated(database.name):
        connection = await database.connect_unjudged({})
        try:
            if (too_old := versions.fault(connection, database.name)) is not None:
                raise OutdatedDatabase(f"{too_old}.")
            revisions = await _revisions(connection, sorted(groups))
            old = {group: revision for group, revision in revisions.items() if revision != head(group)}
            unknown = [_isnt_head(database.name, *each) for each in old.items() if not _leads_to_head(*each)]
            refusals = [*unknown, *(await requirements.faults(connection, database.name) if old else ())]
        except asyncpg.InsufficientPrivilegeError as error:
            raise OutdatedDatabase(causes.explained(database.name, error)) from error
        finally:
            connection.terminate()
    if refusals:
        raise OutdatedDatabase(f"{'; '.join(refusals)}.")


async def upgrade(database: Database, group: str) -> None:
    """Brings the group's tables to the head; concurrent upgrades of a database wait for each other.

    Raises OutdatedDatabase when the database, or something that Postgres refuses, prevents it; DatabaseUnavailable.
    """
    await require_possible(database, [group])
    try:
        with translated(database.name):
            await _upgrade_locked(database, group)
    except DatabaseUnavailable as error:
        if hasattr(error, "__notes__"):
            error.add_note(requirements.interrupted(group, await _next_step(database, group)))
        raise
    except DBAPIError as error:
        reason, step = causes.explained(database.name, error), await _next_step(database, group)
        raise OutdatedDatabase(f"{reason} {requirements.interrupted(group, step)}") from error


async def _next_step(database: Database, group: str) -> str:
    """The revision that comes after that of the group's tables; the newest one if these can't be asked."""
    steps = [step.revision for step in ScriptDirectory.from_config(_config(group)).walk_revisions()]
    with contextlib.suppress(DatabaseUnavailable, DBAPIError):
        reached = await current(database, group)
        return steps[-1] if reached is None else steps[max(steps.index(reached) - 1, 0)]
    return steps[0]


async def _upgrade_locked(database: Database, group: str) -> None:
    async with database.engine.connect() as connection:
        await _require_public(connection, database.name, group)
        await _take_turn(connection)
        try:
            await _upgrade_patiently(connection, database.name, group)
        finally:
            await connection.execute(text(f"select pg_advisory_unlock({MIGRATING})"))
            await connection.execute(text("reset idle_session_timeout"))
            await connection.commit()


async def _upgrade_patiently(connection: AsyncConnection, database: str, group: str) -> None:
    """Tries again what couldn't lock a table within LOCK_TIMEOUT: all of play would wait behind it for that long."""
    until = time.monotonic() + LOCKED_SECONDS
    while True:
        await connection.execute(text(f"set lock_timeout = '{LOCK_TIMEOUT}'"))
        await connection.commit()
        try:
            return await connection.run_sync(_upgrade, group)
        except DBAPIError as error:
            await connection.rollback()
            if not isinstance(error.orig.__cause__, asyncpg.LockNotAvailableError) or time.monotonic() > until:  # type: ignore[union-attr]
                raise
        log.info("a migration waits for a table that is in use, as by an export", database=database, group=group)
        await asyncio.sleep(REST_SECONDS)


async def _take_turn(connection: AsyncConnection) -> None:
    """Asks for the lock again and again: an index that is built concurrently waits for every statement that waits.

    Who has it and does nothing loses it, as a command that was suspended. Raises DatabaseUnavailable if another
    migration keeps it for too long.
    """
    driver = (await connection.get_raw_connection()).driver_connection
    assert isinstance(driver, DriverConnection)
    lock, until = SoleLock(MIGRATING), time.monotonic() + TURN_WAITS_SECONDS
    await connection.commit()
    while not await lock.take(driver):
        if time.monotonic() > until:
            raise DatabaseUnavailable("Another migration of it has been under way for too long.")
        await asyncio.sleep(TURN_SECONDS)
    await driver.execute(f"set idle_session_timeout = '{IDLE}'")


def _upgrade(connection: Connection, group: str) -> None:
    config = _config(group)
    config.attributes.update(connection=connection, metadata=METADATA[group])
    command.upgrade(config, "head")


async def current(database: Database, group: str) -> str | None:
    """The revision of the group's tables on a database; None when there are none."""
    with translated(database.name):
        return await _current(database, group)


async def require_head(database: Database, group: str) -> None:
    """Raises Conflict, with what to do, unless the group's tables are at their head; DatabaseUnavailable."""
    if (revision := await current(database, group)) != head(group):
        at = revision or "nothing"
        raise Conflict(f"The {group} tables of {database.name} are at {at}: run `gameserver migrate`.")


async def _current(database: Database, group: str) -> str | None:
    async with database.engine.connect() as connection:
        table = f"alembic_version_{group}"
        if not await connection.run_sync(lambda opened: inspect(opened).has_table(table)):
            await _require_public(connection, database.name, group)
            return None
        return (await connection.execute(text(f"select version_num from {table}"))).scalar()  # noqa: S608


ELSEWHERE = """
    select string_agg(distinct n.nspname, ', ') from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relname = $1 and n.nspname <> 'public' and to_regclass('public.' || $1) is null
"""


PRESENT = "select g from unnest($1::text[]) as g where to_regclass('public.alembic_version_' || g) is not null"


async def _require_public(connection: AsyncConnection, database: str, group: str) -> None:
    """Raises OutdatedDatabase when the tables lie in another schema, where a `search_path` once led."""
    schema = (await connection.exec_driver_sql(ELSEWHERE, (f"alembic_version_{group}",))).scalar()
    await connection.commit()
    if schema is not None:
        raise OutdatedDatabase(_lies_elsewhere(database, group, schema))


def _lies_elsewhere(database: str, group: str, schema: str) -> str:
    return (
        f"database {database}: its {group} tables lie in the schema {schema}, and nodes look for them in public: "
        "move them there (alter table ... set schema public; functions, too), or rename the schemas"
    )


def _leads_to_head(group: str, revision: str | None) -> bool:
    return revision is None or knows(group, revision)


def _isnt_head(database: str, group: str, revision: str | None) -> str:
    if _leads_to_head(group, revision):
        at = revision or "nothing"
        return f"database {database}: its {group} tables are at {at}, this code needs {head(group)}"
    return (
        f"database {database}: its {group} tables are at {revision}, and this version of the program knows none "
        f"beyond {head(group)}: use the one that made them, or a newer one"
    )


async def faults(connection: asyncpg.Connection, database: str, groups: Iterable[str]) -> list[str]:
    """A sentence for each group whose tables aren't at their history's head on the database of this connection."""
    revisions, sentences = await _revisions(connection, sorted(groups)), []
    for group, revision in revisions.items():
        if revision is None and (schema := await connection.fetchval(ELSEWHERE, f"alembic_version_{group}")):
            sentences.append(_lies_elsewhere(database, group, schema))
        elif revision != head(group):
            sentences.append(_isnt_head(database, group, revision))
    return sentences


async def _revisions(connection: asyncpg.Connection, groups: Sequence[str]) -> dict[str, str | None]:
    """By group, None where it has no tables: two statements for all of them, as every start of a process waits."""
    present = {row["g"] for row in await connection.fetch(PRESENT, groups)}
    if not present:
        return dict.fromkeys(groups)
    known = [group for group in groups if group in present]
    asked = ", ".join(f"(select version_num from public.alembic_version_{group})" for group in known)  # noqa: S608
    found = dict(zip(known, await connection.fetchval(f"select array[{asked}]"), strict=True))
    return {group: found.get(group) for group in groups}
