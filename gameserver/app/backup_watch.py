"""Whether the databases are backed up: measured by nodes, and examined by `gameserver doctor`."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import asyncpg
import structlog
from rich.filesize import decimal

from gameserver.app.backups import listed
from gameserver.config.settings import Settings
from gameserver.stack.errors import StackError
from gameserver.stack.servers.standbys import ARCHIVE_SLOT
from gameserver.storage.operators.condition import Symptom
from gameserver.telemetry import BACKUP_AGE, BACKUP_BYTES, BACKUP_LOG_BYTES, BACKUPS

LOOK_SECONDS = 30.0
BEHIND_BYTES = 256 << 20
"""Log that isn't kept yet; more is a warning."""
_SLOT = """
    select s.active, s.wal_status, pg_wal_lsn_diff(pg_current_wal_flush_lsn(), s.restart_lsn)::bigint as behind
    from pg_replication_slots s where s.slot_name = $1
"""
log = structlog.get_logger()


async def watch_for_ever(settings: Settings) -> None:
    """Measures the backups in the folder of the settings now and then; where there is none, nothing."""
    while True:
        if settings.backup_folder is not None:
            try:
                await asyncio.to_thread(_measure, settings)
            except (StackError, OSError) as error:
                log.warning("the backups can't be measured", error=str(error))
        await asyncio.sleep(LOOK_SECONDS)


def _measure(settings: Settings) -> None:
    for system in listed(settings):
        BACKUPS.labels(system.database).set(len(system.backups))
        BACKUP_LOG_BYTES.labels(system.database).set(system.log_bytes)
        if system.backups:
            # Told when it is asked for: it goes on growing when the folder can't be read any more.
            BACKUP_AGE.labels(system.database).set_function(partial(_age, system.backups[0].ended_at))
            BACKUP_BYTES.labels(system.database).set(system.backups[0].size)


def _age(ended_at: datetime) -> float:
    return max((datetime.now(UTC) - ended_at).total_seconds(), 0)


async def symptoms(settings: Settings, name: str, connection: asyncpg.Connection) -> list[Symptom]:
    """What is wrong with a database's backups; nothing if the settings have none. Raises what the driver does."""
    if settings.backups is None:
        return []
    row = await connection.fetchrow(_SLOT, ARCHIVE_SLOT)
    return [*_of_log(row), *await asyncio.to_thread(_of_backups, settings, name)]


def _of_log(slot: Any) -> Sequence[Symptom]:
    remedy = "run `gameserver up` or `gameserver backups follow`, and look at the log of pg_receivewal"
    if slot is None or not slot["active"]:
        return [Symptom("warning", "nothing keeps its log for backups", remedy)]
    if slot["wal_status"] == "lost":
        return [Symptom("warning", "its log for backups has a gap", "make a base backup: `gameserver backup`")]
    if slot["behind"] > BEHIND_BYTES:
        return [Symptom("warning", f"{decimal(slot['behind'])} of its log aren't kept yet", remedy)]
    return []


def _of_backups(settings: Settings, name: str) -> Sequence[Symptom]:
    assert settings.backups is not None
    try:
        backups = {system.database: system.backups for system in listed(settings)}.get(name, ())
    except (StackError, OSError) as error:
        return [Symptom("warning", str(error), "move it away, or bring it back")]
    if not backups:
        return [Symptom("warning", f"it has no backup in {settings.backup_folder}", "make one: `gameserver backup`")]
    if (age := _age(backups[0].ended_at)) > settings.backups.old_seconds:
        problem = f"its newest backup is {age / 3600:.0f} hours old"
        return [Symptom("warning", problem, "run `gameserver backup` every day, by cron or a timer")]
    return []
