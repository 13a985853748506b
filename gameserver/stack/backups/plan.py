"""Chooses the base backup and the log from which a moment of a database can be restored, or says why none can."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from gameserver.stack.backups import log_pages
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


def plan(
    catalog: BackupCatalog,
    moment: datetime | None,
    present: Present | None,
    timeline: int | None,
    system: str | None = None,
) -> RestorePlan:
    """The newest base backup before `moment` in the past of `timeline`, which is the present one's if none is named.

    Without present data the backups have to be of one system, or of the one that is named, and the pasts of all its
    timelines have to be one. Raises StackError, OSError.
    """
    backups = _of_system(catalog, present, system)
    archive = catalog.archive(backups[0].system, backups[0].segment)
    timelines = {*archive.timelines(), *(backup.timeline for backup in backups)}
    newest = max(timelines)
    chosen = timeline or (present.timeline if present is not None else newest)
    if not 1 <= chosen <= newest:
        raise StackError(f"There is no timeline {chosen} of {catalog.database}: the newest is {newest}.")
    past = _past(catalog, archive, chosen)
    if timeline is None and present is None:
        _require_one_past(catalog, archive, past, timelines)
    backup = _before(catalog, [backup for backup in backups if backup.lies_in(past)], moment)
    found = RestorePlan(backup, catalog.chain(backup), archive, chosen, moment)
    if moment is None:
        require_no_gap(found)
    return found


def newest(catalog: BackupCatalog) -> RestorePlan:
    """All that follows the newest base backup, on the timeline that was written last. Raises StackError, OSError."""
    backup = _known(catalog)[0]
    archive = catalog.archive(backup.system, backup.segment)
    return RestorePlan(backup, catalog.chain(backup), archive, _written_last(catalog, archive, backup), None)


def has_gap(catalog: BackupCatalog) -> bool:
    """Whether the log behind the newest base backup has a gap; there may be none. Raises StackError, OSError."""
    if not (backups := catalog.backups()):
        return False
    archive = catalog.archive(backups[0].system, backups[0].segment)
    past = _past(catalog, archive, _written_last(catalog, archive, backups[0]))
    return archive.reach(backups[0].end, past).gap


def _written_last(catalog: BackupCatalog, archive: LogArchive, backup: BaseBackup) -> int:
    """The timeline that was written last of those that the backup is of."""
    times = {timeline: at for timeline in archive.timelines() if (at := archive.written_at(timeline)) is not None}
    own = [timeline for timeline in times if backup.lies_in(_past(catalog, archive, timeline))]
    return max(own, key=lambda timeline: (times[timeline], timeline), default=backup.timeline)


def require_no_gap(chosen: RestorePlan) -> None:
    """Raises StackError if the log behind the plan's backup has a gap, OSError."""
    reach, database = (
        chosen.archive.reach(chosen.backup.end, chosen.archive.past(chosen.timeline)),
        chosen.backup.database,
    )
    if reach.gap:
        raise StackError(
            f"The log of {database} has a gap behind the segment {reach.last} after the backup {chosen.backup.id}: "
            "name a moment before it with --to, or make a base backup."
        )


def _past(catalog: BackupCatalog, archive: LogArchive, timeline: int) -> Sequence[Span]:
    try:
        return archive.past(timeline)
    except ValueError as error:
        raise StackError(f"The history of the timeline {timeline} of {catalog.database} is damaged: {error}.") from None


def _require_one_past(
    catalog: BackupCatalog, archive: LogArchive, past: Sequence[Span], timelines: Collection[int]
) -> None:
    """Raises StackError if a timeline has anything that this past hasn't: which of them counted nothing here says."""
    ends = {span.timeline: span.end for span in past}
    if any(_has_more(archive, timeline, ends) for timeline in timelines):
        written = {timeline: archive.written_at(timeline) for timeline in sorted(timelines)}
        told = ", ".join(f"{timeline} ({_moment(at)})" for timeline, at in written.items())
        raise StackError(
            f"The pasts of {catalog.database} part, and there is no data that says which one counts: name it with "
            f"--timeline. The timelines, and when the last log of each was kept: {told}."
        )


def _has_more(archive: LogArchive, timeline: int, ends: Mapping[int, int | None]) -> bool:
    if timeline not in ends:
        return True
    end = ends[timeline]
    return end is not None and log_pages.written_behind(archive, timeline, end)


def _moment(at: datetime | None) -> str:
    return "none" if at is None else at.isoformat(timespec="seconds")


def _known(catalog: BackupCatalog) -> list[BaseBackup]:
    if backups := catalog.backups():
        return backups
    raise StackError(f"There is no backup of {catalog.database} in {catalog.folder}.")


def _of_system(catalog: BackupCatalog, present: Present | None, named: str | None) -> list[BaseBackup]:
    backups = _known(catalog)
    ends = {backup.system: backup.ended_at for backup in reversed(backups)}
    known = ", ".join(f"{system} ({_moment(at)})" for system, at in ends.items())
    if present is None and (len(ends) > 1 if named is None else named not in ends):
        raise StackError(
            f"No data says of which system {catalog.database} is to be restored: name it with --system. Those of its "
            f"backups, and when the newest of each ended: {known}."
        )
    system = named or (backups[0].system if present is None else present.system)
    if present is not None and (present.system != system or system not in ends):
        raise StackError(
            f"The backups in {catalog.folder} are of the system {named or known}, and the data of {catalog.database} "
            f"is of {present.system}: they are of another database. If its data was lost and made anew, move that away "
            "first."
        )
    return [backup for backup in backups if backup.system == system]


def _before(catalog: BackupCatalog, backups: Sequence[BaseBackup], moment: datetime | None) -> BaseBackup:
    """The newest of backups, the newest first, that had ended at `moment`."""
    for backup in backups:
        if moment is None or backup.ended_at <= moment:
            return backup
    if moment is None or not backups:
        raise StackError(f"No backup of {catalog.database} lies in the past of this timeline.")
    oldest = backups[-1].ended_at.isoformat()
    several = any(backup.system != backups[0].system for backup in catalog.backups())
    others = " There are backups of other systems, too: move the data away, and name one with --system."
    raise StackError(
        f"{moment.isoformat()} is before the oldest backup of {catalog.database}, which ended {oldest}."
        f"{others if several else ''}"
    )
