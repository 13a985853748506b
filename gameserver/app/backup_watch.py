"""Whether the databases are backed up: measured by nodes, and examined by `gameserver doctor`."""

import asyncio
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import asyncpg
import structlog
from rich.filesize import decimal

from gameserver.app.backups import BackedUpSystem, catalog_of, catalogs, summary
from gameserver.config.settings import Settings
from gameserver.rules.errors import Unavailable
from gameserver.stack.backups import making
from gameserver.stack.backups.catalog import CLOCKS_APART, BaseBackup
from gameserver.stack.backups.plan import has_gap
from gameserver.stack.backups.receiver import FOLLOWED
from gameserver.stack.errors import StackError
from gameserver.stack.servers.datafolder import restored_beside
from gameserver.stack.servers.standbys import ARCHIVE_SLOT
from gameserver.storage.operators.condition import Symptom
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.databases import Databases
from gameserver.storage.postgres.shares import Purpose, using
from gameserver.telemetry import (
    BACKUP_AGE,
    BACKUP_BYTES,
    BACKUP_LOG_BYTES,
    BACKUP_LOG_FOLLOWED,
    BACKUP_LOG_GAP,
    BACKUPS,
)

LOOK_SECONDS = 30.0
BEHIND_BYTES = 256 << 20
"""Log that isn't kept yet; more is a warning."""
REMAINS = ("restoring", "restoring.new", "restored.dropped")
"""What the names of folders end with that a restore makes beside the data, each as large as the database."""
_SLOT = """
    select exists (select from pg_stat_replication where application_name = $1) as followed, s.wal_status,
           pg_wal_lsn_diff(pg_current_wal_flush_lsn(), s.restart_lsn)::bigint as behind
    from pg_replication_slots s where s.slot_name = $1
"""
_TABLESPACES = """
    select string_agg(spcname, ', ' order by spcname) from pg_tablespace
    where spcname not in ('pg_default', 'pg_global')
"""
_IDLE = "select setting::bigint from pg_settings where name = 'idle_replication_slot_timeout'"
"""Of Postgres 18 and newer; 0 if it ends none."""
log = structlog.get_logger()


async def watch_for_ever(settings: Settings, databases: Databases) -> None:
    """Measures the backups in the folder of the settings now and then, and what keeps the log; without one, nothing.

    Backups of a database that is none of the deployment's any more get older, which is no news.
    """
    while True:
        if settings.backup_folder is not None:
            with using(Purpose.UPKEEP):
                await asyncio.gather(*(_measure_receiver(databases[name]) for name in databases.names()))
            try:
                present = set(databases.names()) - databases.left()
                await asyncio.to_thread(_measure, settings, present)
            except Exception as error:  # what can't be measured must not end a node
                _log(error)
        await asyncio.sleep(LOOK_SECONDS)


async def _measure_receiver(database: Database) -> None:
    """Of a database that doesn't answer, nobody keeps the log; of one that no group has any more, nobody has to."""
    if not database.groups:
        BACKUP_LOG_FOLLOWED.remove(database.name)
        return
    followed = False
    try:
        ((followed,),) = await database.ask(FOLLOWED, ARCHIVE_SLOT)
    except Unavailable:
        pass
    except Exception as error:  # what can't be measured must not end a node
        _log(error, database=database.name)
    BACKUP_LOG_FOLLOWED.labels(database.name).set(followed)


def _measure(settings: Settings, present: Collection[str]) -> None:
    for catalog in (catalog for catalog in catalogs(settings) if catalog.database in present):
        try:
            _measure_one(summary(catalog), has_gap(catalog))
        except Exception as error:  # nor keep the others from being measured
            _log(error, database=catalog.database)


def _log(error: Exception, **where: str) -> None:
    log.warning("the backups can't be measured", **where, error=f"{type(error).__name__}: {error}")


def _measure_one(system: BackedUpSystem, gap: bool) -> None:  # noqa: FBT001
    BACKUPS.labels(system.database).set(len(system.backups))
    BACKUP_LOG_BYTES.labels(system.database).set(system.log_bytes)
    BACKUP_LOG_GAP.labels(system.database).set(gap)
    if (newest := _newest(system.backups)) is not None:
        # Told when it is asked for: it goes on growing when the folder can't be read any more.
        BACKUP_AGE.labels(system.database).set_function(partial(_age, newest.ended_at))
        BACKUP_BYTES.labels(system.database).set(newest.size)


def _newest(backups: Sequence[BaseBackup]) -> BaseBackup | None:
    """The newest that has ended by this machine's clock: one of a clock that was ahead hides no old one."""
    now = datetime.now(UTC) + CLOCKS_APART
    return next((backup for backup in backups if backup.ended_at <= now), None)


def _age(ended_at: datetime) -> float:
    return max((datetime.now(UTC) - ended_at).total_seconds(), 0)


async def symptoms(settings: Settings, name: str, connection: asyncpg.Connection) -> list[Symptom]:
    """What is wrong with a database's backups; nothing if the settings have none. Raises what the driver does."""
    if settings.backups is None:
        return []
    row = await connection.fetchrow(_SLOT, ARCHIVE_SLOT)
    tablespaces, idle = await connection.fetchval(_TABLESPACES), await connection.fetchval(_IDLE)
    on_disk = await asyncio.to_thread(lambda: [*_of_backups(settings, name), *_of_remains(settings, name)])
    return [*_of_log(row), *_of_idle_slots(idle), *_of_tablespaces(tablespaces), *on_disk]


def _of_log(slot: Any) -> Sequence[Symptom]:
    remedy = "run `gameserver up` or `gameserver backups follow`, and look at the log of pg_receivewal"
    if slot is not None and slot["wal_status"] == "lost":
        return [Symptom("warning", "its log for backups has a gap", f"{remedy}; then `gameserver backup`")]
    if slot is None or not slot["followed"]:
        return [Symptom("warning", "nothing keeps its log for backups", remedy)]
    if slot["behind"] > BEHIND_BYTES:
        return [Symptom("warning", f"{decimal(slot['behind'])} of its log aren't kept yet", remedy)]
    return []


def _of_idle_slots(seconds: int | None) -> Sequence[Symptom]:
    if not seconds:
        return []
    problem = f"it lets go of its log for backups when nothing has kept it for {seconds} s"
    return [Symptom("warning", f"{problem} (idle_replication_slot_timeout)", "set idle_replication_slot_timeout to 0")]


def _of_tablespaces(names: str | None) -> Sequence[Symptom]:
    if names is None:
        return []
    return [Symptom("warning", f"it can't be backed up, with the tablespaces {names}", "move them to pg_default")]


def _of_backups(settings: Settings, name: str) -> Sequence[Symptom]:
    try:
        catalog = next((catalog for catalog in catalogs(settings) if catalog.database == name), None)
        backups = catalog.backups() if catalog is not None else []
        gap = catalog is not None and has_gap(catalog)
    except (StackError, OSError) as error:
        return [Symptom("warning", str(error), "move it away, or bring it back")]
    found = [*_of_ages(settings, backups)]
    if gap:
        problem = "the log behind its newest backup has a gap"
        found.append(Symptom("warning", problem, "make a base backup: `gameserver backup`"))
    return found


def _of_remains(settings: Settings, name: str) -> Sequence[Symptom]:
    """What a restore left beside the data on this machine, while no other one is under way."""
    folder = (settings.data / f"postgres-{name}").resolve()
    remedy = "delete it: nothing takes it, and the next restore begins anew"
    parts = [folder.with_name(f"{folder.name}.{part}") for part in REMAINS]
    found = [Symptom("warning", f"an interrupted restore left {path}", remedy) for path in parts if path.exists()]
    if (waiting := restored_beside(folder)).exists():
        anew = f"then run `gameserver backups reconcile --database {name} --since … --reason …`"
        remedy = f"move it away, or let the database be started on it; {anew} with the moment that it went back to"
        found.append(Symptom("error", f"the next start of its Postgres takes the restored data in {waiting}", remedy))
    if not found:
        return []
    try:
        with making.locked(catalog_of(settings, name)):
            return found
    except (StackError, OSError):
        return []


def _of_ages(settings: Settings, backups: Sequence[BaseBackup]) -> Iterator[Symptom]:
    assert settings.backups is not None
    newest = _newest(backups)
    if backups and backups[0] != newest:
        problem = f"its backup {backups[0].id} ended later than it is now: a clock was wrong"
        yield Symptom("warning", problem, "set the clocks right, make a backup, and move that one away")
    if newest is None:
        yield Symptom("warning", f"it has no backup in {settings.backup_folder}", "make one: `gameserver backup`")
    elif (age := _age(newest.ended_at)) > settings.backups.old_seconds:
        problem = f"its newest backup is {age / 3600:.0f} hours old"
        yield Symptom("warning", problem, "run `gameserver backup` every day, by cron or a timer")
