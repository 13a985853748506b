"""The first log of a restored database's own timeline, which no receiver has seen, kept for a later restore.

Law: it is in the archive only if the restored data got its name: a timeline that nobody ran on is none to restore. It
is copied first, under a name that no archive looks at, and gets its own after the data; whatever is killed in between,
the next restore gives it its name, or removes it.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

from gameserver.stack.backups.catalog import BackupCatalog
from gameserver.stack.backups.log_archive import HISTORY, PARTIAL, SEGMENT
from gameserver.stack.backups.making import make_log_folder
from gameserver.stack.backups.programs import BackupPrograms
from gameserver.stack.errors import StackError
from gameserver.stack.servers import datafolder

NAME = "beginning"


def prepare(made: Path, catalog: BackupCatalog, system: str, programs: BackupPrograms) -> None:
    """Copies the first log of restored data that has no place yet. Raises StackError, OSError."""
    values = datafolder.control_values(programs.folder, made, programs.account)
    timeline, last = values.get("Latest checkpoint's TimeLineID", ""), values.get("Latest checkpoint's REDO WAL file")
    if not timeline.isdigit() or last is None:
        raise StackError(f"The restored data in {made} can't be read.")
    to = catalog.folder / "wal" / system / NAME
    if to.exists():
        shutil.rmtree(to)
    make_log_folder(to, programs.account)
    for path in sorted((made / "pg_wal").glob(f"{int(timeline):08X}*")):
        if HISTORY.fullmatch(path.name) or (SEGMENT.fullmatch(path.name) and path.name <= last):
            copy = to / (path.name + (PARTIAL if path.name == last else ""))
            shutil.copyfile(path, copy)
            datafolder.sync(copy)
    datafolder.sync(to)
    datafolder.give_all_to(to, programs.account)


def settle(catalog: BackupCatalog, folders: Sequence[Path]) -> None:
    """Takes what was prepared into the archive if its timeline began in one of these data folders, or is in the archive
    already; else removes it. Raises OSError."""
    for prepared in (catalog.folder / "wal").glob(f"*/{NAME}"):
        system = prepared.parent.name
        places = [*(folder / "pg_wal" for folder in folders), *catalog.log_folders(system)]
        histories = [path for path in prepared.iterdir() if HISTORY.fullmatch(path.name)]
        if any(_same(path, place / path.name) for path in histories for place in places):
            datafolder.put_in_place(prepared, catalog.next_log_folder(system))
        else:
            shutil.rmtree(prepared)


def _same(one: Path, other: Path) -> bool:
    return other.is_file() and one.read_bytes() == other.read_bytes()
