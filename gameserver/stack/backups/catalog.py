"""A database's backups on disk: `base/ID/` for each base backup, `wal/SYSTEM/NUMBER/` for its write-ahead log.

Law: a base backup gets its name when it is complete, checked and on disk, and loses it before anything of it is
deleted, so what is half-made, or half-deleted, is never taken for one.
"""

import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
from pydantic import AwareDatetime, TypeAdapter

from gameserver.stack.backups.log_archive import LogArchive, Span
from gameserver.stack.errors import StackError
from gameserver.stack.servers.datafolder import put_in_place, sync

FACTS = "backup.json"
HALF = ".new"
_ENDING = "ending"
CLOCKS_APART = timedelta(minutes=5)
"""By how much a database's clock may differ from this machine's: by more, no backup is made, and none is judged by."""
_ID = re.compile(r"\d{8}T\d{9}")


@dataclass(frozen=True, slots=True)
class BaseBackup:
    """A base backup; positions and `segment` in bytes, `size` without its log, times of the database's clock.

    An incremental one holds what changed since its `parent`, the id of another one.
    """

    id: str
    database: str
    """The name in the settings."""
    system: str
    """The system identifier."""
    version: str
    timeline: int
    start: int
    end: int
    """From here on it is consistent."""
    began_at: AwareDatetime
    ended_at: AwareDatetime
    size: int
    segment: int
    parent: str | None = None

    def lies_in(self, past: Sequence[Span]) -> bool:
        """Whether it is of this past, not of one that parts from it before."""
        return any(span.timeline == self.timeline and (span.end is None or self.end <= span.end) for span in past)


_BACKUP = TypeAdapter(BaseBackup)


@dataclass(frozen=True, slots=True)
class BackupCatalog:
    """The backups of the database of this name in the settings; `folder` is for it alone."""

    database: str
    folder: Path

    def backups(self) -> list[BaseBackup]:
        """The complete ones, the newest first. Raises StackError for one that isn't of this database."""
        found = [self._read(path) for path in self._complete()]
        return sorted(found, key=lambda backup: backup.ended_at, reverse=True)

    def chain(self, backup: BaseBackup) -> list[BaseBackup]:
        """The backup and those that it builds on, the full one first. Raises StackError if one of them is missing."""
        known, chain = {each.id: each for each in self.backups()}, [backup]
        while (parent := chain[0].parent) is not None:
            if parent not in known or len(chain) > len(known):
                raise StackError(f"The backup {chain[0].id} of {self.database} builds on {parent}, which isn't there.")
            chain.insert(0, known[parent])
        return chain

    def data(self, backup: BaseBackup) -> Path:
        """The data folder of a base backup."""
        return self.folder / "base" / backup.id / "data"

    def half(self, identifier: str) -> Path:
        """Where the base backup of this id is made."""
        return self.folder / "base" / (identifier + HALF)

    def complete(self, backup: BaseBackup) -> None:
        """Gives a base backup, checked and synced, its name. Raises OSError."""
        half = self.half(backup.id)
        facts = half / FACTS
        facts.write_bytes(orjson.dumps(asdict(backup), option=orjson.OPT_INDENT_2))
        sync(facts)
        sync(half)
        put_in_place(half, half.with_name(backup.id))

    def remove(self, backup: BaseBackup) -> None:
        """Deletes a base backup. Raises OSError."""
        half = self.half(backup.id)
        put_in_place(half.with_name(backup.id), half)
        shutil.rmtree(half)

    def unfinished(self) -> list[Path]:
        """What interrupted backups left, and interrupted deletions."""
        return list((self.folder / "base").glob("*" + HALF))

    def ending(self, system: str) -> Path:
        """Where the last of a closed database's log is copied to; it is none of the log's folders yet."""
        return self.folder / "wal" / system / _ENDING

    def endings(self) -> list[Path]:
        """Those that interrupted restores left."""
        return list((self.folder / "wal").glob("*/" + _ENDING))

    def log_folders(self, system: str) -> list[Path]:
        """The folders of this system's log, in the order in which they were begun."""
        parent = self.folder / "wal" / system
        folders = (path for path in parent.iterdir() if path.name.isdigit()) if parent.is_dir() else ()
        return sorted(folders, key=lambda path: int(path.name))

    def next_log_folder(self, system: str) -> Path:
        """The path of a new one, not made yet."""
        number = int(present[-1].name) + 1 if (present := self.log_folders(system)) else 1
        return self.folder / "wal" / system / f"{number:04}"

    def archive(self, system: str, segment: int) -> LogArchive:
        """The kept log of a system. Raises OSError."""
        return LogArchive.read(self.log_folders(system), segment)

    def _complete(self) -> list[Path]:
        base = self.folder / "base"
        return [path for path in base.iterdir() if _ID.fullmatch(path.name)] if base.is_dir() else []

    def _read(self, path: Path) -> BaseBackup:
        try:
            backup = replace(_BACKUP.validate_json((path / FACTS).read_bytes()), id=path.name)
        except (OSError, ValueError) as error:
            raise StackError(f"The backup {path} can't be used: its {FACTS} can't be read ({error}).") from None
        if backup.database != self.database:
            raise StackError(f"The backup {path} is of the database {backup.database}, not of {self.database}.")
        return backup


def new_id(now: datetime) -> str:
    """The id of a backup that begins now."""
    return f"{now.astimezone(UTC):%Y%m%dT%H%M%S}{now.microsecond // 1000:03}"


def size_of(folder: Path) -> int:
    """Bytes of the files below a folder; files that vanish meanwhile don't count."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(parent) / name).lstat().st_size
            except OSError:
                continue
    return total
