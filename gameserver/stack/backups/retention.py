"""Deletes backups, and log, that no moment of the time that is kept needs any more.

Law: every past is judged by itself. A backup of a past that was given up is none for the database's present one, and a
past is kept while anything was written on it within the time that is kept. Nothing is judged by a backup that ended
later than it is now: a clock was wrong.
"""

import shutil
from collections.abc import Iterator, Sequence, Set
from datetime import datetime, timedelta

from gameserver.stack.backups.catalog import CLOCKS_APART, BackupCatalog, BaseBackup
from gameserver.stack.backups.log_archive import LogArchive
from gameserver.stack.errors import StackError


def expire(catalog: BackupCatalog, now: datetime, keep: timedelta, least: int) -> Sequence[BaseBackup]:
    """Deletes the base backups that no moment within `keep` needs, but never the newest `least` nor what a kept one
    builds on, and then the log that none of the others needs; the deleted ones. Whoever calls it has the catalog's
    lock. Raises OSError, StackError."""
    backups = catalog.backups()
    wanted = _wanted(catalog, backups, now, keep, least)
    kept = {link.id for backup in backups if backup.id in wanted for link in catalog.chain(backup)}
    expired = [backup for backup in backups if backup.id not in kept]
    for backup in expired:
        catalog.remove(backup)
    for path in catalog.endings():
        shutil.rmtree(path)
    _expire_log(catalog, [backup for backup in backups if backup.id in kept], now - keep)
    return expired


def _wanted(
    catalog: BackupCatalog, backups: Sequence[BaseBackup], now: datetime, keep: timedelta, least: int
) -> Set[str]:
    known = [backup for backup in backups if backup.ended_at <= now + CLOCKS_APART]
    wanted = {backup.id for backup in backups if backup not in known} | {backup.id for backup in known[:least]}
    for line in _lines(catalog, known, now - keep):
        needed = [backup for backup in line if backup.ended_at > now - keep]
        # The newest one that ended before the time that is kept is where its first moments are restored from.
        number = max(len(needed) + 1, least if known[0] in line else 1)
        wanted |= {backup.id for backup in line[:number]}
    return wanted


def _lines(catalog: BackupCatalog, known: Sequence[BaseBackup], since: datetime) -> Iterator[Sequence[BaseBackup]]:
    """The backups of each past, the newest first, that is the newest one's or was written to since then."""
    for system in {backup.system for backup in known}:
        own = [backup for backup in known if backup.system == system]
        archive = catalog.archive(system, own[0].segment)
        for timeline in {*archive.timelines(), *(backup.timeline for backup in own)}:
            try:
                past = archive.past(timeline)
            except ValueError as error:
                raise StackError(
                    f"The history of the timeline {timeline} of {catalog.database} is damaged: {error}."
                ) from None
            line = [backup for backup in own if backup.lies_in(past)]
            if known[0] in line or _was_written(archive, timeline, line, since):
                yield line


def _was_written(archive: LogArchive, timeline: int, line: Sequence[BaseBackup], since: datetime) -> bool:
    times = [backup.ended_at for backup in line if backup.timeline == timeline]
    if (written := archive.written_at(timeline)) is not None:
        times.append(written)
    return any(time > since for time in times)


def _expire_log(catalog: BackupCatalog, kept: Sequence[BaseBackup], since: datetime) -> None:
    systems = {backup.system for backup in kept}
    for path in (catalog.folder / "wal").iterdir():
        if path.name not in systems and not _is_newer(catalog.archive(path.name, 1), since):
            shutil.rmtree(path)
    for system in systems:
        own = [backup for backup in kept if backup.system == system]
        first = min(backup.start // backup.segment for backup in own)
        for path in catalog.archive(system, own[0].segment).older_than(first):
            path.unlink(missing_ok=True)
        for folder in catalog.log_folders(system)[:-1]:
            if not any(folder.iterdir()):
                folder.rmdir()


def _is_newer(archive: LogArchive, since: datetime) -> bool:
    """Whether log was written since, which may be of a system that has no backup yet."""
    return any((at := archive.written_at(timeline)) is not None and at > since for timeline in archive.timelines())
