"""Chooses the base backup and the log from which a moment of a database can be restored, or says why none can."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from gameserver.stack.backups.catalog import BackupCatalog, BaseBackup
from gameserver.stack.backups.log_archive import LogArchive, Span
from gameserver.stack.errors import StackError


@dataclass(frozen=True, slots=True)
class RestorePlan:
    """A base backup, and the timeline whose log is replayed on it up to `moment`, None for all that there is.

    `chain` begins with the full backup and ends with this one, which are the same unless it is incremental.
    """

    backup: BaseBackup
    chain: Sequence[BaseBackup]
    archive: LogArchive
    timeline: int
    moment: datetime | None


@dataclass(frozen=True, slots=True)
class Present:
    """The data that is to be replaced: its system, and its timeline."""

    system: str
    timeline: int


def plan(catalog: BackupCatalog, moment: datetime | None, present: Present | None, timeline: int | None) -> RestorePlan:
    """The newest base backup before `moment` in the past of `timeline`, which is the present one's if none is named.

    Raises StackError, OSError.
    """
    backups = _of_system(catalog, present)
    archive = catalog.archive(backups[0].system, backups[0].segment)
    newest = max(archive.newest_timeline(), *(backup.timeline for backup in backups))
    chosen = timeline or (present.timeline if present is not None else newest)
    if not 1 <= chosen <= newest:
        raise StackError(f"There is no timeline {chosen} of {catalog.database}: the newest is {newest}.")
    try:
        past = archive.past(chosen)
    except ValueError as error:
        raise StackError(f"The history of the timeline {chosen} of {catalog.database} is damaged: {error}.") from None
    backup = _before(catalog.database, [backup for backup in backups if _lies_in(past, backup)], moment)
    if moment is None and (reach := archive.reach(backup.end, past)).gap:
        raise StackError(
            f"The log of {catalog.database} has a gap behind the segment {reach.last} after the backup {backup.id}: "
            "name a moment before it with --to, or make a base backup."
        )
    return RestorePlan(backup, catalog.chain(backup), archive, chosen, moment)


def _of_system(catalog: BackupCatalog, present: Present | None) -> list[BaseBackup]:
    backups = catalog.backups()
    if not backups:
        raise StackError(f"There is no backup of {catalog.database} in {catalog.folder}.")
    system = backups[0].system if present is None else present.system
    if own := [backup for backup in backups if backup.system == system]:
        return own
    raise StackError(
        f"The backups in {catalog.folder} are of the system {backups[0].system}, and the data of {catalog.database} is "
        f"of {system}: they are of another database. If its data was lost and made anew, move that away first."
    )


def _lies_in(past: Sequence[Span], backup: BaseBackup) -> bool:
    return any(span.timeline == backup.timeline and (span.end is None or backup.end <= span.end) for span in past)


def _before(database: str, backups: Sequence[BaseBackup], moment: datetime | None) -> BaseBackup:
    """The newest of backups, the newest first, that had ended at `moment`."""
    for backup in backups:
        if moment is None or backup.ended_at <= moment:
            return backup
    if moment is None or not backups:
        raise StackError(f"No backup of {database} lies in the past of this timeline.")
    oldest = backups[-1].ended_at.isoformat()
    raise StackError(f"{moment.isoformat()} is before the oldest backup of {database}, which ended {oldest}.")
