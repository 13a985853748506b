"""Backups of the databases that the settings or the control database name, and one restored beside the others."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

import asyncpg

from gameserver.app.core import window_of
from gameserver.config.errors import ConfigFault
from gameserver.config.settings import Settings, replica_name
from gameserver.rules.errors import DatabaseUnavailable
from gameserver.rules.rulebook import Rulebook
from gameserver.stack.backups import making, placing
from gameserver.stack.backups.catalog import BackupCatalog, BaseBackup, size_of
from gameserver.stack.backups.making import BackedUp
from gameserver.stack.backups.placing import DataPlace
from gameserver.stack.backups.plan import RestorePlan, plan
from gameserver.stack.backups.programs import BackupPrograms
from gameserver.stack.backups.receiver import received
from gameserver.stack.backups.restoring import Expected, restored
from gameserver.stack.errors import StackError
from gameserver.stack.processes.supervisor import Supervisor
from gameserver.stack.servers.datafolder import control_values
from gameserver.stack.servers.roles import ROLE, SUPERUSER
from gameserver.stack.up import receiver_of
from gameserver.storage.accounts.identities import Identities
from gameserver.storage.crossings.crossing import reconciled
from gameserver.storage.crossings.findings import Findings
from gameserver.storage.postgres.database import Databases
from gameserver.storage.sharding import provision
from gameserver.storage.slots.slot_map import IncompleteMap, Slots
from gameserver.storage.tables import migrations

CLOCKS_APART = timedelta(seconds=10)
"""By how much more than what `doctor` allows the clocks of two databases may differ."""
KEPT_SECONDS = 30.0
"""How long a database that answers may take to hand over its newest log before it is restored."""
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class BackedUpSystem:
    """What there is of a database: its base backups, the newest first, and its log, in bytes and up to when."""

    database: str
    folder: Path
    backups: Sequence[BaseBackup]
    log_bytes: int
    log_until: datetime | None


@dataclass(frozen=True, slots=True)
class Restoration:
    """What is to be restored; `moment` None means all that was kept, `into` a folder that nothing uses yet."""

    database: str
    moment: datetime | None
    timeline: int | None = None
    into: Path | None = None


@dataclass(frozen=True, slots=True)
class RestoredData:
    """What was restored: the timeline that its own log begins, where it is, and whether its database runs on it."""

    plan: RestorePlan
    timeline: int
    folder: Path
    running: bool
    elsewhere: bool
    """Whether it was to go into a folder of its own."""
    outdated: Sequence[str]
    """Its tables that `gameserver migrate` has to bring up to date."""

    @property
    def since(self) -> datetime:
        """The moment after which it may differ from what it was."""
        return self.plan.moment or self.plan.backup.ended_at


async def named(settings: Settings, wanted: Sequence[str]) -> list[BackedUp]:
    """The databases of these names, or all that are used. Raises ConfigFault, StackError for an unknown one."""
    databases = provision.open_databases(settings)
    try:
        await _assign(settings, databases)
        used = [name for name in databases.names() if databases[name].groups]
        if unknown := [name for name in wanted if name not in databases]:
            raise StackError(f"There is no database {' or '.join(unknown)}: there are {', '.join(used)}.")
        return [BackedUp(name, databases[name].url) for name in wanted or used]
    finally:
        await databases.close()


async def back_up(settings: Settings, wanted: Sequence[str], say: Say) -> list[BaseBackup]:
    """Makes a base backup of each database, checks it, and deletes what is too old. Raises StackError, ConfigFault."""
    folder, programs, made = _folder(settings), _programs(settings), []
    chosen = settings.backups
    assert chosen is not None
    for database in await named(settings, wanted):
        catalog = making.opened_catalog(database.name, folder, programs.account)
        with making.locked(catalog) as lock:
            started = time.monotonic()
            backup = await making.back_up(database, catalog, programs, lock)
            say(f"{database.name}: {backup.id}, {backup.size >> 20} MiB, {time.monotonic() - started:.1f} s, checked")
            keep = timedelta(seconds=chosen.keep_seconds)
            for old in catalog.expire(backup.ended_at, keep, chosen.least):
                say(f"{database.name}: {old.id} is deleted: older than {keep}")
        made.append(backup)
    return made


async def verify(settings: Settings, wanted: Sequence[str], say: Say, *, everything: bool) -> list[str]:
    """Reads the newest base backup of each database, or all, and compares them with their manifests; what is wrong."""
    folder, programs, faults = _folder(settings), _programs(settings), []
    for name in wanted or sorted(_present(folder)):
        catalog = making.opened_catalog(name, folder, programs.account)
        with making.locked(catalog) as lock:
            for backup in catalog.backups()[: None if everything else 1]:
                try:
                    await making.verify(backup, catalog, programs, lock)
                    say(f"{name}: {backup.id} is whole")
                except StackError as error:
                    faults.append(str(error))
    return faults


def listed(settings: Settings) -> list[BackedUpSystem]:
    """What there is of each database. Raises StackError, ConfigFault."""
    folder = _folder(settings)
    return [_listed(BackupCatalog(name, path)) for name, path in sorted(_present(folder).items())]


async def follow(settings: Settings) -> None:
    """Keeps the log of the databases that aren't embedded, until a signal. Raises StackError, ConfigFault."""
    folder = _folder(settings)
    embedded = {name for name, database in settings.databases.items() if database.embedded is not None}
    receivers = [
        receiver_of(settings, database.name, database.url)
        for database in await named(settings, [])
        if database.name not in embedded
    ]
    if not receivers:
        raise StackError("All databases are embedded: `gameserver up` keeps their log.")
    async with Supervisor(receivers, lock=folder / "follow.lock") as supervisor:
        await supervisor.start(*receivers)
        await supervisor.run()


async def restore(settings: Settings, wanted: Restoration, say: Say) -> RestoredData:
    """Restores a database and, unless it goes elsewhere, puts it in its place. Raises StackError, ConfigFault."""
    (database,) = await named(settings, [wanted.database])
    programs, place = _programs(settings), _place(settings, wanted.database)
    if place is None and wanted.into is None:
        raise StackError(
            f"{database.name} isn't embedded: name a folder for its data with --into, and put it in place."
        )
    catalog = making.opened_catalog(database.name, _folder(settings), programs.account)
    with making.locked(catalog) as lock:
        await _keep_newest(database, say)
        present = place.present(programs) if place is not None else None
        chosen = plan(catalog, wanted.moment, present, wanted.timeline)
        say(f"Restoring {database.name} from the backup {chosen.backup.id} on timeline {chosen.timeline}.")
        await making.verify(chosen.backup, catalog, programs, lock)
        to = wanted.into or _beside(place, programs)
        if wanted.into is not None and to.exists() and any(to.iterdir()):
            raise StackError(f"{to} isn't empty: name another folder.")
        outdated: list[str] = []
        expected = await _expected(settings, database, outdated)
        log = settings.data / "log" / f"restore-{database.name}.log"
        await restored(chosen, catalog.data(chosen.backup), to, log, expected)
        values = control_values(programs.folder, to, programs.account)
        timeline = int(values["Latest checkpoint's TimeLineID"])
        running = False
        if place is not None and wanted.into is None:
            say("It is complete and checked; it takes its place.")
            running, to = await placing.put_in_place(place, to, catalog, chosen, programs), place.data
        return RestoredData(chosen, timeline, to, running, wanted.into is not None, outdated)


async def reconcile(settings: Settings, database: str, since: datetime) -> list[Findings]:
    """Puts right what crossed between a database that went back to `since` and the others, and lists the rest.

    Raises ConfigFault, StackError, IncompleteMap, DatabaseUnavailable: it needs them all.
    """
    databases = provision.open_databases(settings, patient=True)
    try:
        await _assign(settings, databases)
        if database not in databases:
            raise StackError(f"There is no database {database}.")
        slots = Slots(databases[settings.control.database], databases, provision.sizes(settings))
        await slots.refresh()
        identities = Identities(slots, window_of(settings), Rulebook.parse(settings.game_mapping()).game)
        try:
            return await reconciled(slots, identities, databases[database], since - CLOCKS_APART)
        finally:
            await identities.close()
    finally:
        await databases.close()


async def _keep_newest(database: BackedUp, say: Say) -> None:
    """Has what a database wrote up to now kept, if it answers."""
    try:
        if not await received(database.url, KEPT_SECONDS):
            say(f"Nothing keeps the newest log of {database.name}: only what was kept before can be restored.")
    except (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.PostgresError) as error:
        say(f"{database.name} doesn't answer ({error}): what was kept of its log has to do.")


async def _expected(settings: Settings, database: BackedUp, outdated: list[str]) -> Expected:
    groups = await _groups(settings, database.name)
    parts = urlsplit(database.url.get_secret_value())
    role = unquote(parts.netloc.rpartition("@")[0].partition(":")[0]) or ROLE

    async def judge(connection: asyncpg.Connection) -> Sequence[str]:
        faults = await migrations.faults(connection, database.name, groups)
        known = [fault for fault in faults if "this code needs" in fault and await _is_known(connection, fault, groups)]
        outdated.extend(known)
        return [fault for fault in faults if fault not in known]

    embedded = settings.databases.get(database.name)
    passwords = None
    if embedded is not None and embedded.embedded is not None:
        passwords = (
            settings.server_password(database.name, SUPERUSER),
            settings.server_password(database.name, ROLE),
        )
    return Expected(unquote(parts.path.removeprefix("/")) or role, role, judge, passwords, {})


async def _is_known(connection: asyncpg.Connection, fault: str, groups: Sequence[str]) -> bool:
    """Whether it is about tables of an earlier version of this code."""
    (group,) = [group for group in groups if f"its {group} tables" in fault]
    if not await connection.fetchval("select to_regclass('public.' || $1) is not null", f"alembic_version_{group}"):
        return False
    revision = await connection.fetchval(f"select version_num from public.alembic_version_{group}")  # noqa: S608
    return migrations.knows(group, str(revision))


async def _groups(settings: Settings, name: str) -> Sequence[str]:
    databases = provision.open_databases(settings)
    try:
        await _assign(settings, databases)
        return sorted(databases[name].groups)
    finally:
        await databases.close()


async def _assign(settings: Settings, databases: Databases) -> None:
    """Says which groups the databases have: as recorded or, while the control database is away, as the settings say."""
    groups = {name: list(group.databases) for name, group in settings.groups.items()}
    try:
        members = await provision.members(settings, databases)
        groups = {group: [database.name for database in rows] for group, rows in members.items()}
    except (DatabaseUnavailable, IncompleteMap):
        pass
    databases.assign(groups)


def _listed(catalog: BackupCatalog) -> BackedUpSystem:
    log = catalog.folder / "wal"
    newest = max((path.stat().st_mtime for path in log.rglob("*") if path.is_file()), default=None)
    until = None if newest is None else datetime.fromtimestamp(newest, UTC)
    return BackedUpSystem(catalog.database, catalog.folder, catalog.backups(), size_of(log), until)


def _present(folder: Path) -> dict[str, Path]:
    """The databases of which there are backups, and their folders."""
    paths = folder.iterdir() if folder.is_dir() else ()
    return {path.name: path.resolve() for path in paths if (path / "base").is_dir()}


def _place(settings: Settings, name: str) -> DataPlace | None:
    database = settings.databases.get(name)
    if database is None or database.embedded is None:
        return None
    numbers = range(1, len(database.replicas) + 1)
    replicas = [settings.data / f"postgres-{replica_name(name, number)}" for number in numbers]
    return DataPlace(settings.data / f"postgres-{name}", replicas, settings.data / "up.lock")


def _beside(place: DataPlace | None, programs: BackupPrograms) -> Path:
    assert place is not None
    folder = place.folder(programs)
    return folder.with_name(folder.name + ".restoring")


def _programs(settings: Settings) -> BackupPrograms:
    return BackupPrograms(settings.data / "log" / "backups.log")


def _folder(settings: Settings) -> Path:
    """Raises ConfigFault."""
    if (folder := settings.backup_folder) is None:
        raise ConfigFault("these settings have no [backups]: add `[backups]` with `folder = …`")
    return folder
