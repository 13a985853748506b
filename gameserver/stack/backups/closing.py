"""Closes an embedded database before the last of its log is restored, so that it acknowledges nothing that is lost.

Law: from `close` until `let_go` no start of its Postgres gets the lock of its data, whoever tries; the lock ends with
this process, however that ends, and then the former data is served again. What it had written when it ended properly is
in the archive to the last record: its receiver may lack some of that, and its own data has all.
"""

import asyncio
import os
import shutil
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from gameserver.stack.backups import placing
from gameserver.stack.backups.catalog import BackupCatalog
from gameserver.stack.backups.log_archive import HISTORY, PARTIAL, SEGMENT, is_whole, number_of
from gameserver.stack.backups.making import make_log_folder
from gameserver.stack.backups.placing import DataPlace
from gameserver.stack.backups.plan import RestorePlan, require_no_gap
from gameserver.stack.backups.programs import BackupPrograms
from gameserver.stack.errors import StackError
from gameserver.stack.processes.lock import FolderLock
from gameserver.stack.servers import datafolder

ENDED = "shut down"
"""What Postgres writes into its data when it has ended properly."""
_POLL_SECONDS = 0.05


@dataclass(eq=False)
class ClosedDatabase:
    """An embedded database that is closed within its block, once `close` has been called."""

    place: DataPlace
    programs: BackupPrograms
    _lock: FolderLock = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._lock = self.place.lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.let_go()

    async def ending(self, catalog: BackupCatalog, chosen: RestorePlan, say: Callable[[str], None]) -> RestorePlan:
        """Closes it, and returns the plan with the last of its log. Raises StackError, OSError.

        One that runs goes on if its log doesn't follow what was kept: what it has acknowledged in between is nowhere.
        """
        name, folder = chosen.backup.database, self.place.folder(self.programs)
        if placing.running(folder) is not None:
            await asyncio.to_thread(_require_following, chosen, folder / "pg_wal")
        say(f"The backup is copied. {name} ends now, and is away until it runs on what is restored, or this ends.")
        await self.close()
        if not await asyncio.to_thread(_keep_ending, chosen, folder, catalog, self.programs):
            say(f"{name} hasn't ended properly: only what was kept of its log before can be restored.")
        final = replace(chosen, archive=catalog.archive(chosen.backup.system, chosen.backup.segment))
        require_no_gap(final)
        return final

    async def close(self) -> None:
        """Ends its Postgres, and lets none start. Raises StackError if it doesn't end."""
        folder, clock, told = self.place.folder(self.programs), asyncio.get_running_loop().time, set[int]()
        end = clock() + placing.END_SECONDS
        while not self._lock.acquire() or placing.running(folder) is not None:
            pid = placing.running(folder)
            if pid is not None and pid not in told:  # one that was started again just now is told, too
                told.add(pid)
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGINT)
            if clock() > end:
                raise StackError(f"The Postgres on {folder} hasn't ended within {placing.END_SECONDS:g} s.")
            await asyncio.sleep(_POLL_SECONDS)

    def let_go(self) -> None:
        """Its Postgres may be started again."""
        self._lock.release()


def _require_following(chosen: RestorePlan, log: Path) -> None:
    """Raises StackError if a database's own log begins behind what was kept of it, OSError.

    Of a timeline that it has left, what was kept has to do.
    """
    archive = chosen.archive
    past = archive.past(chosen.timeline)
    last, segments = archive.reach(chosen.backup.end, past).last, archive.segments(past)
    needed = last + 1 if is_whole(segments.get(last)) else last
    names = [path.name for path in log.iterdir() if SEGMENT.fullmatch(path.name)]
    newest = max((name[:8] for name in names), default=f"{chosen.timeline:08X}")
    first = min((number_of(name, archive.segment) for name in names if name.startswith(newest)), default=needed)
    if first > needed and newest == f"{chosen.timeline:08X}":
        raise StackError(
            f"What {chosen.backup.database} has acknowledged behind the segment {last} after the backup "
            f"{chosen.backup.id} was neither kept nor is it in its own log any more: name a moment before that with "
            "--to, or make a base backup."
        )


def _keep_ending(chosen: RestorePlan, folder: Path, catalog: BackupCatalog, programs: BackupPrograms) -> bool:
    """Keeps what the data of a closed database has of its log and the plan's archive lacks.

    False, with nothing kept, if it didn't end properly: where its log ends, only a start of it would tell. Raises
    OSError.
    """
    values = datafolder.control_values(programs.folder, folder, programs.account)
    timeline, last = values.get("Latest checkpoint's TimeLineID", ""), values.get("Latest checkpoint's REDO WAL file")
    if values.get("Database cluster state") != ENDED or last is None:
        return False
    log, system = folder / "pg_wal", chosen.backup.system
    kept = chosen.archive.files
    missing = [path for path in _of(log, int(timeline), last, chosen) if not is_whole(kept.get(path.name))]
    if missing:
        made = catalog.ending(system)
        shutil.rmtree(made, ignore_errors=True)
        try:
            make_log_folder(made, programs.account)
            for path in missing:
                copy = made / (path.name + (PARTIAL if path.name == last else ""))
                shutil.copyfile(path, copy)
                datafolder.sync(copy)
            datafolder.sync(made)
            datafolder.give_all_to(made, programs.account)
            datafolder.put_in_place(made, catalog.next_log_folder(system))
        finally:
            shutil.rmtree(made, ignore_errors=True)  # there only if it isn't complete
    return True


def _of(log: Path, timeline: int, last: str, chosen: RestorePlan) -> list[Path]:
    """The log of a timeline up to the segment `last`, from where the plan's backup ended; what it began with, too."""
    first, size = chosen.backup.end // chosen.archive.segment, chosen.archive.segment
    own = sorted(log.glob(f"{timeline:08X}*"))
    return [
        path
        for path in own
        if HISTORY.fullmatch(path.name)
        or (SEGMENT.fullmatch(path.name) and path.name <= last and number_of(path.name, size) >= first)
    ]
