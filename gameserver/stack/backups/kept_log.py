"""Reads the log that was kept as Postgres does: under the names that it asks for, in a folder of links."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gameserver.stack.backups.log_archive import PARTIAL, LogArchive, current
from gameserver.stack.backups.log_pages import proven_end
from gameserver.stack.backups.plan import RestorePlan
from gameserver.stack.backups.programs import BackupPrograms
from gameserver.stack.errors import StackError
from gameserver.stack.processes.account import Account
from gameserver.stack.processes.lock import FolderLock
from gameserver.stack.servers import datafolder


async def read_records(chosen: RestorePlan, programs: BackupPrograms, lock: FolderLock) -> None:
    """Reads every record that a plan replays, of each timeline of its past. Raises StackError, OSError."""
    archive, begin = chosen.archive, chosen.backup.end
    past = archive.past(chosen.timeline)
    end = await asyncio.to_thread(proven_end, archive, past, begin)
    with linked(archive, programs.account) as folder:
        for span in past:
            until = min(end, end if span.end is None else span.end)
            if until <= begin:
                continue
            argv = ("pg_waldump", "--quiet", f"--path={folder}", f"--timeline={span.timeline}",
                    f"--start={_text(begin)}", f"--end={_text(until)}")  # fmt: skip
            try:
                await programs.run("Reading it", argv, lock)
            except StackError as error:
                raise StackError(f"The log of {chosen.backup.database} that was kept is damaged: {error}") from None
            begin = until


@contextmanager
def linked(archive: LogArchive, account: Account | None) -> Iterator[Path]:
    """A folder of the servers' account with the archive's files under the names that Postgres asks for.

    It stays as it is when the receiver goes on: what may get another name is copied.
    """
    folder = Path(tempfile.mkdtemp(prefix="gs-log-", dir="/tmp"))
    try:
        link(archive, folder)
        for name, path in archive.files.items():
            if path.name.endswith(PARTIAL):
                (folder / name).unlink()
                shutil.copyfile(current(path), folder / name)
        if account is not None:
            datafolder.give_to(folder, account)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def link(archive: LogArchive, folder: Path) -> None:
    """Links the archive's files into a folder. Raises OSError."""
    for name, path in archive.files.items():
        (folder / name).symlink_to(path)


def copying_from(folder: Path) -> str:
    """The `restore_command` for such a folder: what isn't there is the end, and a copy that fails ends recovery.

    Postgres gives up at a status above 125. A partial segment that the receiver has completed since has another name.
    """
    return (
        f'log="{folder}/%f"; test -L "$log" || exit 1; log=$(readlink "$log"); '
        'test -e "$log" || log=${log%%.partial}; cp "$log" "%p" || exit 126'
    )


def _text(position: int) -> str:
    return f"{position >> 32:X}/{position & 0xFFFFFFFF:08X}"
