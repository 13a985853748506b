"""How far log that was kept goes for certain, by its pages, and whether its segments are whole.

Law: the end of the log is where nothing was written behind, never where it can't be read. Postgres takes the first
record that it can't read for the end, so what it has replayed is compared with the pages behind it: a page on which no
earlier record goes on proves that all records before it were there.
"""

import os
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from gameserver.stack.backups.log_archive import PARTIAL, LogArchive, Span, current
from gameserver.stack.errors import StackError

PAGE = 8192
_HEADER = struct.Struct("=HHIQI")
"""Magic, flags, timeline, address, and the bytes of a record from an earlier page that are still to come."""
_CONTINUES = 1
_LONG = 2
_FLAGS = 0xF
_HEADER_BYTES = {False: 24, True: 40}


@dataclass(frozen=True, slots=True)
class LogPage:
    """A page of log that begins as one must; `rest` are the bytes of an earlier record that aren't before it."""

    address: int
    header: int
    continues: bool
    rest: int

    @property
    def ends_a_record(self) -> bool:
        """Whether the record that goes on here ends on it."""
        return self.continues and self.rest <= PAGE - self.header


def proven_end(archive: LogArchive, past: Sequence[Span], position: int) -> int:
    """Up to where there was log at least, behind a backup that ended at `position`.

    Raises StackError for a segment that is none any more.
    """
    ends = {span.timeline: span.end for span in past}
    segments = {n: path for n, path in archive.segments(past).items() if n >= position // archive.segment}
    complete = False
    try:
        for number in sorted(segments):
            _require_whole(segments[number], number * archive.segment, archive.segment)
        for number in sorted(segments, reverse=True):
            end = ends[int(segments[number].name[:8], 16)]
            for page in _backwards(segments[number], number * archive.segment, end):
                if not page.continues:
                    return max(page.address, position)
                if complete and page.ends_a_record:
                    return max(page.address + page.header + page.rest, position)
                complete = True
    except OSError as error:
        raise StackError(f"The log that was kept can't be read: {error}.") from None
    return position


def written_behind(archive: LogArchive, timeline: int, position: int) -> bool:
    """Whether a timeline has log behind a position, which is the end of a record. Raises OSError."""
    segments, first = archive.segments([Span(timeline, None)]), position // archive.segment
    if any(next(_backwards(segments[n], n * archive.segment, None), None) for n in segments if n > first):
        return True
    if first not in segments:
        return False
    with current(segments[first]).open("rb") as file:
        file.seek(position % archive.segment)
        return any(file.read(PAGE - position % PAGE)) or any(
            page.address > position for page in _backwards(segments[first], first * archive.segment, None)
        )


def _require_whole(path: Path, address: int, size: int) -> None:
    """A segment that was received whole has its size and begins as a segment; of a partial one nothing is known."""
    if path.name.endswith(PARTIAL):
        return
    if (found := path.stat().st_size) != size:
        raise StackError(f"The kept log is damaged: {path} has {found} bytes of {size}.")
    with path.open("rb") as file:
        if _page(file.fileno(), 0, address) is None:
            raise StackError(f"The kept log is damaged: {path} doesn't begin as a segment of log does.")


def _backwards(path: Path, address: int, end: int | None) -> Iterator[LogPage]:
    """The readable pages of a segment, the last one first, without those that begin at `end` or behind it."""
    path = current(path)
    with path.open("rb") as file:
        for offset in range(path.stat().st_size // PAGE * PAGE - PAGE, -1, -PAGE):
            page = _page(file.fileno(), offset, address + offset)
            if page is not None and (end is None or page.address < end):
                yield page


def _page(descriptor: int, offset: int, address: int) -> LogPage | None:
    header = os.pread(descriptor, _HEADER.size, offset)
    if len(header) < _HEADER.size:
        return None
    magic, flags, _, written, rest = _HEADER.unpack(header)
    if not magic or flags & ~_FLAGS or written != address:
        return None
    return LogPage(address, _HEADER_BYTES[bool(flags & _LONG)], bool(flags & _CONTINUES), rest)
