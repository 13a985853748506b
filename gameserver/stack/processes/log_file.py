"""A file that child processes append to, which is rotated while they write.

Law: a file and its earlier parts `.1` (the newest) to `.4` take 16 MiB each and a second's writing, whatever is
written. The children keep the file that they have open: its content is copied to `.1` and the file is emptied, so what
is written between the two, in under a millisecond, is lost. Where the disk has no room for a copy the content is
dropped. Only this account can read the files.
"""

import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import structlog

LARGEST_BYTES = 16 * 1024 * 1024
EARLIER_PARTS = 4
OWNER_ONLY = 0o600
_LAST_BYTES, _LAST_LINES = 4000, 8
_log = structlog.get_logger()


class LogFile:
    """The log of one child."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._start = 0

    def open(self) -> BinaryIO:
        """To append to, from a new start on; where that isn't possible, a file that takes everything and keeps none."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.rotate()
            descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, OWNER_ONLY)
        except OSError as error:
            _log.warning(f"{self.path} can't be opened, so what would be written there is lost: {error.strerror}")
            return open(os.devnull, "ab")
        os.fchmod(descriptor, OWNER_ONLY)
        log = os.fdopen(descriptor, "ab")
        self._start = log.seek(0, os.SEEK_END)
        return log

    def rotate(self) -> None:
        """Makes room if the file has grown large. Never raises."""
        try:
            if self.path.stat().st_size <= LARGEST_BYTES:
                return
        except OSError:
            return
        try:
            for number in range(EARLIER_PARTS - 1, 0, -1):
                with suppress(FileNotFoundError):
                    self._part(number).replace(self._part(number + 1))
            self._copy(self._part(1))
        except OSError as error:
            _log.warning(f"{self.path} is emptied without a copy: {error.strerror}")
        with suppress(OSError):
            os.truncate(self.path, 0)

    def last_words(self) -> str:
        """The last lines that were written since the last start, to append to a sentence."""
        try:
            with self.path.open("rb") as log:
                size = log.seek(0, os.SEEK_END)
                start = self._start if self._start <= size else 0
                log.seek(max(start, size - _LAST_BYTES))
                lines = log.read().decode("utf-8", "replace").splitlines()[-_LAST_LINES:]
        except OSError:
            lines = []
        return f"; {self.path} ends with:\n" + "\n".join(f"  {line}" for line in lines) if lines else "."

    def _part(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")

    def _copy(self, part: Path) -> None:
        """A copy that is whole, or none."""
        try:
            with self.path.open("rb") as log, open(part, "wb", opener=_owner_only) as copy:
                shutil.copyfileobj(log, copy, 1 << 20)
        except OSError:
            part.unlink(missing_ok=True)
            raise


def _owner_only(path: str, flags: int) -> int:
    return os.open(path, flags, OWNER_ONLY)
