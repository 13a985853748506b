"""Puts restored data into the place of an embedded database's, beside the others, which go on.

Law: the restored folder gets the name that the next start of the Postgres takes (`datafolder.take_restored`) only when
it is complete, and what waited there before loses this name before anything of it is removed. If `gameserver up` runs,
its Postgres and the replicas of that are ended, and its supervisor starts them again: on the restored data, and made
anew beside what they had. Only what lies in the database's own folder is replaced.
"""

import asyncio
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gameserver.stack.backups import beginnings
from gameserver.stack.backups.catalog import BackupCatalog
from gameserver.stack.backups.plan import Present, RestorePlan
from gameserver.stack.backups.programs import BackupPrograms
from gameserver.stack.errors import StackError
from gameserver.stack.processes import process_table
from gameserver.stack.processes.lock import FolderLock
from gameserver.stack.servers import datafolder, folders

END_SECONDS = 90.0
BACK_SECONDS = 240.0
_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class DataPlace:
    """Where an embedded database has its data, as the settings name it, and its replicas theirs."""

    data: Path
    replicas: Sequence[Path]
    up_lock: Path
    """Which a running `gameserver up` holds."""

    def folder(self, programs: BackupPrograms) -> Path:
        """The folder that really holds the data. Raises StackError, OSError."""
        return folders.for_data(self.data, programs.account)

    def lock(self) -> FolderLock:
        """What its running Postgres holds, and every start of it takes first."""
        return FolderLock(self.data.with_name(self.data.name + ".lock"))

    def folders(self, programs: BackupPrograms) -> Sequence[Path]:
        """The folders with data that the database runs on, now or from its next start. Raises StackError, OSError."""
        folder = self.folder(programs)
        return folder, datafolder.restored_beside(folder)

    def present(self, programs: BackupPrograms) -> Present | None:
        """What the data there is; None if there is none. Raises StackError, OSError."""
        folder = self.folder(programs)
        if datafolder.is_new(folder):
            return None
        values = datafolder.control_values(programs.folder, folder, programs.account)
        try:
            return Present(values["Database system identifier"], int(values["Latest checkpoint's TimeLineID"]))
        except (KeyError, ValueError):
            raise StackError(f"The data in {folder} can't be read: move it away to restore in its place.") from None


async def put_in_place(
    place: DataPlace,
    made: Path,
    catalog: BackupCatalog,
    plan: RestorePlan,
    programs: BackupPrograms,
    let_go: Callable[[], object] = bool,
) -> bool:
    """Gives restored data to the database; whether it runs on it now, else the next `up` does.

    `let_go` is called once the next start would take it, of whoever keeps the database from being started until then.

    Raises StackError, OSError.
    """
    folder = place.folder(programs)
    waiting, system = datafolder.restored_beside(folder), plan.backup.system
    await asyncio.to_thread(beginnings.prepare, made, catalog, system, programs)
    await asyncio.to_thread(datafolder.drop_restored, folder)
    datafolder.put_in_place(made, waiting)
    await asyncio.to_thread(beginnings.settle, catalog, place.folders(programs))
    lock = FolderLock(place.up_lock)
    if lock.acquire():
        lock.release()
        return False
    before = datafolder.pid_file_lines(folder)[:1]
    try:
        await _end(folder)
        for replica in place.replicas:
            await _end(folders.for_data(replica, programs.account))
        let_go()
        back = f"{folder} is served again"
        await _until(lambda: not waiting.exists() and _runs_anew(folder, before), BACK_SECONDS, back)
    except StackError as error:
        if not waiting.exists():
            raise
        raise StackError(
            f"{error}\nWhat was restored still waits in {waiting}, and the next start of its Postgres takes it: move "
            "it away if the database is to stay as it is."
        ) from None
    return True


def running(folder: Path) -> int | None:
    """The process of the Postgres on a folder, if one runs there."""
    lines = datafolder.pid_file_lines(folder)
    pid = int(lines[0]) if lines and lines[0].isdigit() else None
    return pid if pid is not None and process_table.works_in(pid, folder) else None


async def _end(folder: Path) -> None:
    """Ends the Postgres on a folder if one runs there: a fast shutdown."""
    if (pid := running(folder)) is None:
        return
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGINT)
    await _until(lambda: not process_table.works_in(pid, folder), END_SECONDS, f"the Postgres on {folder} has ended")


def _runs_anew(folder: Path, before: Sequence[str]) -> bool:
    lines = datafolder.pid_file_lines(folder)
    return lines[:1] != before and lines[7:8] == ["ready"]


async def _until(done: Callable[[], bool], seconds: float, what: str) -> None:
    """Raises StackError when it isn't so within `seconds`."""
    end = asyncio.get_running_loop().time() + seconds
    while not done():
        if asyncio.get_running_loop().time() > end:
            raise StackError(f"It took longer than {seconds:g} s until {what}: look at the logs of `gameserver up`.")
        await asyncio.sleep(_POLL_SECONDS)
