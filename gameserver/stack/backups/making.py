"""Makes base backups with `pg_basebackup`, over the database's own URL, and checks them."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from gameserver.stack.backups import manifest as manifests
from gameserver.stack.backups.catalog import CLOCKS_APART, BackupCatalog, BaseBackup, new_id
from gameserver.stack.backups.connecting import connected
from gameserver.stack.backups.manifest import Manifest
from gameserver.stack.backups.plan import Present
from gameserver.stack.backups.programs import BackupPrograms, conninfo
from gameserver.stack.errors import StackError
from gameserver.stack.processes.account import Account
from gameserver.stack.processes.lock import FolderLock
from gameserver.stack.servers import datafolder, folders
from gameserver.storage.sharding import identity
from gameserver.storage.tables import migrations

_FACTS = """
    select array(select spcname::text from pg_tablespace where spcname not in ('pg_default', 'pg_global'))
               as tablespaces,
           (pg_control_system()).system_identifier::text as system, current_setting('server_version') as version,
           pg_is_in_recovery() as standby, clock_timestamp() as now,
           pg_size_bytes(current_setting('wal_segment_size')) as segment,
           coalesce(current_setting('summarize_wal', true), 'off') = 'on' as summarized
"""
NO_TABLESPACES = "what is restored of them would write into the backup itself. Move their tables to pg_default."


@dataclass(frozen=True, slots=True)
class BackedUp:
    """A database to be backed up: its name in the settings, and a URL whose role may replicate."""

    name: str
    url: SecretStr
    deployment: str | None = None
    """As the control database says, if that is known."""


@contextlib.contextmanager
def locked(catalog: BackupCatalog) -> Iterator[FolderLock]:
    """The catalog's lock, for what changes or reads whole backups. Raises StackError when another process holds it."""
    lock = FolderLock(catalog.folder / "backups.lock")
    if not lock.acquire():
        raise StackError(f"Another backup, check or restore of {catalog.database} is under way: wait for its end.")
    try:
        yield lock
    finally:
        lock.release()


def opened_catalog(database: str, folder: Path, account: Account | None) -> BackupCatalog:
    """The catalog of a database, in a folder that the servers' account can write to. Raises StackError, OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    if account is not None and not account.can_enter(folder):
        folder.chmod(folder.stat().st_mode | 0o011)
    place = folders.for_data(folder / database, account)
    for path in (place, place / "base", place / "wal"):
        if not path.exists():
            path.mkdir(mode=0o700)
            datafolder.give_to(path, account)
    return BackupCatalog(database, place)


def make_log_folder(folder: Path, account: Account | None) -> None:
    """Makes a folder of a system's log, and the system's. Raises OSError."""
    for path in (folder.parent, folder):
        if not path.exists():
            path.mkdir(mode=0o700)
            datafolder.give_to(path, account)


async def back_up(
    database: BackedUp, catalog: BackupCatalog, programs: BackupPrograms, lock: FolderLock, *, incremental: bool = False
) -> BaseBackup:
    """Makes a base backup, with the log that it needs, checks it, and gives it its name. Raises StackError, OSError.

    An `incremental` one holds what changed since the newest one. An interrupted one leaves a folder that the next one
    removes.
    """
    for path in catalog.unfinished():
        await asyncio.to_thread(shutil.rmtree, path)
    before = await facts_of(database)
    if before["standby"]:
        raise StackError(f"{database.name} is a replica at this address: name its primary.")
    _require_known(database, catalog, before)
    parent = _parent(database, catalog, before) if incremental else None
    identifier = new_id(before["now"])
    half = catalog.half(identifier)
    half.mkdir(mode=0o700)
    datafolder.give_to(half, programs.account)
    address, env = conninfo(database.url, "pg_basebackup")
    argv = (
        "pg_basebackup",
        f"--pgdata={half / 'data'}",
        f"--dbname={address}",
        f"--label=gameserver {database.name} {identifier}",
        "--wal-method=stream",
        "--no-slot",
        "--checkpoint=fast",
        f"--manifest-checksums={manifests.CHECKSUMS}",
        "--no-password",
        *([f"--incremental={catalog.data(parent) / manifests.FILE}"] if parent is not None else []),
    )
    async with _log_kept(database):
        await programs.run(f"The backup of {database.name}", argv, lock, env)
    manifest = await _checked(f"The new backup of {database.name}", half / "data", programs, lock)
    after = await facts_of(database)
    backup = _described(database.name, identifier, manifest, before, after["now"])
    backup = replace(backup, parent=None if parent is None else parent.id)
    catalog.complete(backup)
    return backup


@contextlib.asynccontextmanager
async def _log_kept(database: BackedUp) -> AsyncIterator[None]:
    """The database keeps its log meanwhile, for what reads it without a slot of its own.

    The reader of a slot acknowledges commits where any standby will do. Raises StackError.
    """
    async with connected(database.name, database.url, database.deployment) as connection:
        name = f"gameserver_backup_{connection.get_server_pid()}"
        await connection.execute("select pg_create_physical_replication_slot($1, true, true)", name)
        yield


def _require_known(database: BackedUp, catalog: BackupCatalog, facts: dict[str, Any]) -> None:
    """Raises StackError for another system than that of the newest backup which has no tables of the game.

    It may be made anew where the data was lost, and its backup would stand before those of the data.
    """
    try:
        backups = catalog.backups()
    except StackError:  # another backup is better than none where one can't be read
        return
    if backups and backups[0].system != facts["system"] and not facts["migrated"]:
        raise StackError(
            f"{database.name} is of the system {facts['system']} and has no tables of the game, and its newest "
            f"backup is of {backups[0].system}: the data may be lost. Restore it; or, if it is to begin anew, run "
            "`gameserver migrate` first."
        )


def _parent(database: BackedUp, catalog: BackupCatalog, facts: dict[str, Any]) -> BaseBackup:
    """What an incremental backup is built on. Raises StackError."""
    if not facts["summarized"]:
        raise StackError(
            f"{database.name} doesn't note which pages change: set `summarize_wal = on` there (Postgres 17 or newer; "
            "`[backups] incremental = true` does it for those that `gameserver up` runs), and make a full backup then."
        )
    for backup in catalog.backups():
        if backup.system == facts["system"]:
            catalog.chain(backup)
            return backup
    raise StackError(f"There is no backup of {database.name} to build on: make one without --incremental first.")


async def verify(backup: BaseBackup, catalog: BackupCatalog, programs: BackupPrograms, lock: FolderLock) -> None:
    """Reads a whole base backup and compares it with its manifest, and this with its system. Raises StackError."""
    manifest = await _checked(f"The backup {backup.id} of {backup.database}", catalog.data(backup), programs, lock)
    if manifest.system not in (None, backup.system):
        raise StackError(f"The backup {backup.id} holds data of the system {manifest.system}, not of {backup.system}.")


async def facts_of(database: BackedUp) -> dict[str, Any]:
    """What a server says of itself. Raises StackError, also for what can't be backed up as it is."""
    async with connected(database.name, database.url, database.deployment) as connection:
        facts = dict(await connection.fetchrow(_FACTS))
        facts["migrated"] = bool(await connection.fetch(migrations.PRESENT, identity.GROUPS))
    apart = facts["now"] - datetime.now(UTC)
    if abs(apart) > CLOCKS_APART:
        raise StackError(
            f"The clock of {database.name} is {apart.total_seconds():+.0f} s from this machine's: set both right. What "
            "is kept, and to which moments one can go back, is judged by them."
        )
    if facts["tablespaces"]:
        raise StackError(f"{database.name} has the tablespaces {', '.join(facts['tablespaces'])}: {NO_TABLESPACES}")
    return facts


async def present(database: BackedUp) -> Present:
    """What a primary is. Raises StackError, also for a replica."""
    question = """
        select (pg_control_system()).system_identifier::text as system, pg_walfile_name(pg_current_wal_lsn()) as segment
    """
    async with connected(database.name, database.url, database.deployment) as connection:
        row = await connection.fetchrow(question)
    return Present(row["system"], int(row["segment"][:8], 16))


async def _checked(title: str, data: Path, programs: BackupPrograms, lock: FolderLock) -> Manifest:
    """The manifest of a whole backup: its files are as it says, and the log that it needs can be read."""
    try:
        manifest = await asyncio.to_thread(manifests.read, data)
        await asyncio.to_thread(manifests.compare, data, manifest)
        if any((data / "pg_tblspc").glob("*")):
            raise StackError(f"it has tablespaces: {NO_TABLESPACES}")
        for part in manifest.ranges:
            argv = (
                "pg_waldump",
                "--quiet",
                f"--path={data / 'pg_wal'}",
                f"--timeline={part['Timeline']}",
                f"--start={part['Start-LSN']}",
                f"--end={part['End-LSN']}",
            )
            await programs.run("Reading its log", argv, lock)
    except StackError as error:
        raise StackError(f"{title} is damaged: {error}") from None
    return manifest


def _described(
    name: str, identifier: str, manifest: Manifest, before: dict[str, Any], ended_at: datetime
) -> BaseBackup:
    ranges = manifest.ranges
    return BaseBackup(
        id=identifier,
        database=name,
        system=before["system"],
        version=before["version"].split()[0],
        timeline=ranges[-1]["Timeline"],
        start=datafolder.position_of(ranges[0]["Start-LSN"]),
        end=datafolder.position_of(ranges[-1]["End-LSN"]),
        began_at=before["now"],
        ended_at=ended_at,
        size=manifest.size,
        segment=before["segment"],
    )
