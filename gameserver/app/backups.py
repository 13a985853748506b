"""Makes and checks backups of the databases that the settings or the control database name."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
from sqlalchemy.exc import DBAPIError

from gameserver.config.errors import ConfigFault
from gameserver.config.settings import Settings
from gameserver.logs.outage import Outage
from gameserver.rules.errors import DatabaseUnavailable
from gameserver.stack.backups import kept_log, making, retention
from gameserver.stack.backups.catalog import BackupCatalog, BaseBackup, size_of
from gameserver.stack.backups.making import BackedUp
from gameserver.stack.backups.plan import newest, require_no_gap
from gameserver.stack.backups.programs import BackupPrograms
from gameserver.stack.backups.receiver import WalReceiver
from gameserver.stack.errors import StackError
from gameserver.stack.processes.supervisor import Supervisor
from gameserver.stack.up import receiver_of
from gameserver.storage.postgres import causes
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.databases import Databases
from gameserver.storage.postgres.faults import translated
from gameserver.storage.sharding import identity, provision
from gameserver.storage.slots.slot_map import IncompleteMap
from gameserver.waiting import cancel_and_wait

ASK_SECONDS = 60.0
"""How often the control database is asked which databases are to be followed, and where they are."""
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class BackedUpSystem:
    """What there is of a database: its base backups, the newest first, and its log, in bytes and up to when."""

    database: str
    folder: Path
    backups: Sequence[BaseBackup]
    log_bytes: int
    log_until: datetime | None
    fault: str | None = None
    """Why its backups can't be told."""


async def named(settings: Settings, wanted: Sequence[str], *, anyhow: bool = False) -> list[BackedUp]:
    """The databases of these names, or all that are used.

    Raises ConfigFault, StackError for an unknown one, and what `assign` does.
    """
    databases = provision.open_databases(settings, patient=True)
    try:
        deployment = await assign(settings, databases, anyhow=anyhow)
        used = [name for name in databases.names() if databases[name].groups]
        if unknown := [name for name in wanted if name not in databases]:
            raise StackError(f"There is no database {' or '.join(unknown)}: there are {', '.join(used)}.")
        return [BackedUp(name, databases[name].url, deployment) for name in wanted or used]
    finally:
        await databases.close()


async def back_up(settings: Settings, wanted: Sequence[str], say: Say, *, incremental: bool = False) -> list[str]:
    """Makes a base backup of each database, checks it, and deletes what is too old; what failed, after all were tried.

    Raises StackError, ConfigFault, IncompleteMap, DatabaseUnavailable.
    """
    programs, faults = programs_of(settings), []
    for database in await named(settings, wanted):
        try:
            await _back_up(settings, database, programs, say, incremental=incremental)
        except (StackError, OSError) as error:
            faults.append(f"{database.name}: {error}")
    return faults


async def _back_up(
    settings: Settings, database: BackedUp, programs: BackupPrograms, say: Say, *, incremental: bool
) -> None:
    catalog = making.opened_catalog(database.name, folder_of(settings), programs.account)
    with making.locked(catalog) as lock:
        await making.facts_of(database)
        try:  # what has expired may be what fills the disk
            _expire(settings, catalog, datetime.now(UTC), say)
        except StackError as error:
            say(f"{database.name}: nothing old is deleted: {error}")
        started = time.monotonic()
        backup = await making.back_up(database, catalog, programs, lock, incremental=incremental)
        say(f"{database.name}: {backup.id}, {backup.size >> 20} MiB, {time.monotonic() - started:.1f} s, checked")
        _expire(settings, catalog, min(backup.ended_at, datetime.now(UTC)), say)


def _expire(settings: Settings, catalog: BackupCatalog, now: datetime, say: Say) -> None:
    assert settings.backups is not None
    keep = timedelta(seconds=settings.backups.keep_seconds)
    for old in retention.expire(catalog, now, keep, settings.backups.least):
        say(f"{catalog.database}: {old.id} is deleted: older than {keep}")


async def verify(settings: Settings, wanted: Sequence[str], say: Say, *, everything: bool) -> list[str]:
    """Reads the newest base backup of each database, or all, and the log behind the newest; what is wrong, or missing.

    Without names these are the databases that are used, and whatever else there are backups of. Raises StackError,
    ConfigFault, IncompleteMap, DatabaseUnavailable.
    """
    programs, faults = programs_of(settings), list[str]()
    names = [database.name for database in await named(settings, wanted, anyhow=bool(wanted))]
    for name in wanted or sorted({*names, *_present(folder_of(settings))}):
        try:
            faults += await _verify(catalog_of(settings, name), programs, say, everything=everything)
        except (StackError, OSError) as error:
            faults.append(str(error))
    return faults


async def _verify(catalog: BackupCatalog, programs: BackupPrograms, say: Say, *, everything: bool) -> list[str]:
    faults = []
    with making.locked(catalog) as lock:
        for backup in catalog.backups()[: None if everything else 1]:
            try:
                await making.verify(backup, catalog, programs, lock)
                say(f"{catalog.database}: {backup.id} is whole")
            except (StackError, OSError) as error:
                faults.append(str(error))
        try:
            chosen = newest(catalog)
            require_no_gap(chosen)
            await kept_log.read_records(chosen, programs, lock)
            say(f"{catalog.database}: its log behind {chosen.backup.id} is whole")
        except (StackError, OSError) as error:
            faults.append(str(error))
    return faults


def listed(settings: Settings) -> list[BackedUpSystem]:
    """What there is of each database, or why that can't be told. Raises ConfigFault, OSError."""
    return [_listed(catalog) for catalog in catalogs(settings)]


def _listed(catalog: BackupCatalog) -> BackedUpSystem:
    try:
        return summary(catalog)
    except (StackError, OSError) as error:
        return BackedUpSystem(catalog.database, catalog.folder, (), 0, None, str(error))


def newest_backup(settings: Settings) -> datetime | None:
    """When the newest base backup of any database began; None if there is none, or if not all of them can be read."""
    try:
        began = [backup.began_at for catalog in catalogs(settings) for backup in catalog.backups()]
    except (StackError, ConfigFault, OSError):
        return None
    return max(began, default=None)


def catalogs(settings: Settings) -> list[BackupCatalog]:
    """Those of the databases of which there are backups. Raises ConfigFault, OSError."""
    return [BackupCatalog(name, path) for name, path in sorted(_present(folder_of(settings)).items())]


async def follow(settings: Settings) -> None:
    """Keeps the log of the databases that `up` doesn't run, until a signal, of each as soon as it answers.

    Raises StackError, ConfigFault, IncompleteMap, DatabaseUnavailable.
    """
    folder = folder_of(settings)
    receivers = await _receivers(settings)
    if not receivers:
        raise StackError("`gameserver up` runs all of these databases, and keeps their log.")
    async with Supervisor([], lock=folder / "follow.lock") as supervisor:
        supervisor.keep(*receivers.values())
        asking = asyncio.create_task(_ask_again(settings, receivers, supervisor))
        try:
            await supervisor.run()
        finally:
            await cancel_and_wait([asking])


async def _receivers(settings: Settings) -> dict[str, WalReceiver]:
    """What keeps the log of each database that is followed. Raises what `named` does."""
    run_here = {name for name, database in settings.databases.items() if database.url is None}
    return {
        database.name: receiver_of(settings, database.name, database.url, database.deployment)
        for database in await named(settings, [])
        if database.name not in run_here
    }


async def _ask_again(settings: Settings, followed: dict[str, WalReceiver], supervisor: Supervisor) -> None:
    """Follows databases that join, and those whose address changes there; what fails is tried again.

    Those that were followed before their deployment was known are judged by it once it is.
    One that isn't named any more is followed on: a control database that is silent names only those of the settings.
    """
    outage = Outage("databases that join aren't followed", "databases that join are followed again")
    while True:
        await asyncio.sleep(ASK_SECONDS)
        try:
            for name, receiver in (await _receivers(settings)).items():
                if (former := followed.get(name)) is not None:
                    if former.url == receiver.url and receiver.deployment in (None, former.deployment):
                        continue
                    await supervisor.leave(former)
                supervisor.keep(receiver)
                followed[name] = receiver
            outage.answered()
        except Exception as error:  # those that are followed have to be kept all the same
            outage.failed(str(error))


async def assign(settings: Settings, databases: Databases, *, anyhow: bool = False) -> str | None:
    """Says which groups the databases have, and returns the id of their deployment, if that is known.

    As recorded, be the tables of an earlier version, or not compared with the map yet. While the control database is
    silent, and before it is set up, as the settings say; `anyhow` also where it refuses, or is another one. Raises
    StackError, IncompleteMap, DatabaseUnavailable. These databases must have no judges.
    """
    databases.assign({name: list(group.databases) for name, group in settings.groups.items()})
    try:
        deployment = await _deployment(databases[settings.control.database])
        members = await provision.members(settings, databases)
    except (StackError, IncompleteMap, DatabaseUnavailable, DBAPIError) as error:
        if anyhow or _is_unset(error):
            return None
        raise
    databases.assign({group: [database.name for database in rows] for group, rows in members.items()})
    return deployment


async def _deployment(control: Database) -> str | None:
    """What the control database says; None before it knows. Raises StackError if it is another, DatabaseUnavailable."""
    with translated(control.name):
        connection = await control.connect_unjudged({})
        try:
            said = await identity.read(connection)
        finally:
            connection.terminate()
    if wrong := identity.mismatch(control.name, said, None, control.name):
        raise StackError(f"{wrong}.")
    return said[0].deployment if said else None


def _is_unset(error: Exception) -> bool:
    """Whether the control database says nothing, or has no tables yet."""
    if isinstance(error, DatabaseUnavailable):
        return error.__cause__ is not None and causes.is_away(error.__cause__)
    return isinstance(causes.root(error), asyncpg.UndefinedTableError)


def catalog_of(settings: Settings, name: str) -> BackupCatalog:
    """That of a database of which there are backups. Raises StackError if there are none, ConfigFault, OSError."""
    folder = folder_of(settings)
    if (path := _present(folder).get(name)) is None:
        raise StackError(f"There is no backup of {name} in {folder}.")
    return BackupCatalog(name, path)


def summary(catalog: BackupCatalog) -> BackedUpSystem:
    """What there is of a database. Raises StackError, OSError."""
    log = catalog.folder / "wal"
    latest = max((path.stat().st_mtime for path in log.rglob("*") if path.is_file()), default=None)
    until = None if latest is None else datetime.fromtimestamp(latest, UTC)
    return BackedUpSystem(catalog.database, catalog.folder, catalog.backups(), size_of(log), until)


def _present(folder: Path) -> dict[str, Path]:
    """The databases of which there are backups, and their folders."""
    paths = folder.iterdir() if folder.is_dir() else ()
    return {path.name: path.resolve() for path in paths if (path / "base").is_dir()}


def programs_of(settings: Settings) -> BackupPrograms:
    """Raises StackError when a program is missing, OSError."""
    return BackupPrograms(settings.data / "log" / "backups.log")


def folder_of(settings: Settings) -> Path:
    """The folder of all backups. Raises ConfigFault if there are to be none."""
    if (folder := settings.backup_folder) is None:
        raise ConfigFault("these settings have no [backups]: add `[backups]` with `folder = …`")
    return folder
