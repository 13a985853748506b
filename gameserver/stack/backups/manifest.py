"""Compares a base backup with the manifest that Postgres wrote with it, as `pg_verifybackup` does.

Law: a backup whose files all have the sizes and sums of the manifest, which has its own sum, and that has no other
files, is what the server sent. (The programs that come as a wheel have a `pg_verifybackup` that doesn't run.)
"""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from gameserver.stack.errors import StackError

FILE = "backup_manifest"
CHECKSUMS = "SHA256"
"""What backups are made with; a manifest with others is refused."""
_SUM = b'"Manifest-Checksum"'
_NOT_LISTED = frozenset({FILE, "postgresql.auto.conf", "recovery.signal", "standby.signal"})
"""Files that may differ, or be there besides; so may what is in `pg_wal`, which is read by itself."""
_READ_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Manifest:
    """The content of a manifest; its own sum is right."""

    system: str | None
    """The system identifier; Postgres 16 doesn't write it."""
    files: Sequence[Mapping[str, Any]]
    ranges: Sequence[Mapping[str, Any]]
    """The parts of the log that the backup needs: `Timeline`, `Start-LSN` and `End-LSN`."""

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file["Size"] for file in self.files)


def read(data: Path) -> Manifest:
    """The manifest of a base backup's data folder. Raises StackError."""
    try:
        text = (data / FILE).read_bytes()
        content = orjson.loads(text)
        system = content.get("System-Identifier")
        manifest = Manifest(None if system is None else str(system), content["Files"], content["WAL-Ranges"])
        expected = content["Manifest-Checksum"]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise StackError(f"its {FILE} can't be read ({error!r})") from None
    if hashlib.sha256(text[: text.rindex(_SUM)]).hexdigest() != expected:
        raise StackError(f"its {FILE} has been changed")
    return manifest


def compare(data: Path, manifest: Manifest) -> None:
    """Reads every file. Raises StackError for the first that isn't as it was, is missing, or isn't listed."""
    listed = {_path(file): file for file in manifest.files}
    for path, file in listed.items():
        if (fault := _fault(data / os.fsdecode(path), file)) is not None and os.fsdecode(path) not in _NOT_LISTED:
            raise StackError(f"{os.fsdecode(path)} {fault}")
    if more := next((path for path in _present(data) if path not in listed), None):
        raise StackError(f"{os.fsdecode(more)} isn't listed in its {FILE}")


def _fault(path: Path, file: Mapping[str, Any]) -> str | None:
    try:
        size = path.stat().st_size
        if size != file["Size"]:
            return f"has {size} bytes of {file['Size']}"
        if file.get("Checksum-Algorithm") != CHECKSUMS:
            return f"has no sum by {CHECKSUMS}"
        return None if _sum(path) == file["Checksum"] else "has been changed"
    except OSError as error:
        return f"can't be read ({error.strerror})"


def _sum(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as source:
        while part := source.read(_READ_BYTES):
            digest.update(part)
    return digest.hexdigest()


def _present(data: Path) -> Iterator[bytes]:
    """The files that a manifest must list."""
    for folder, folders, names in os.walk(data):
        inside = Path(folder).relative_to(data)
        if inside == Path():
            folders.remove("pg_wal")
            names = [name for name in names if name not in _NOT_LISTED]
        yield from (os.fsencode(inside / name) for name in names)


def _path(file: Mapping[str, Any]) -> bytes:
    """A file's path below the data folder; one that isn't UTF-8 stands there in hexadecimal digits."""
    return bytes.fromhex(file["Encoded-Path"]) if "Encoded-Path" in file else os.fsencode(file["Path"])
