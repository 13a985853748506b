"""The files of a database's write-ahead log that were kept, over all the folders that receivers wrote.

A receiver that can't go on where the last one ended begins a new folder, so the same segment may lie in several. Law: a
whole segment is taken before a partial one, and of two partial ones the newest in which anything was written. One that
a receiver was killed in while it gave it its size has no log yet: no server takes it, and it doesn't count. A
timeline's history says where it left the one before: of that one, segments behind this point belong to a past that was
given up.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, Self

from gameserver.stack.servers import datafolder

SEGMENT = re.compile(r"(?P<timeline>[0-9A-F]{8})(?P<high>[0-9A-F]{8})(?P<low>[0-9A-F]{8})")
HISTORY = re.compile(r"(?P<timeline>[0-9A-F]{8})\.history")
PARTIAL = ".partial"
_LOG_BYTES = 1 << 32
_PAGE_HEADER = 24


class Span(NamedTuple):
    """A part of a database's past: a timeline, and the position where it was left, None for the last one."""

    timeline: int
    end: int | None


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a backup's log goes without a gap: its last segment, and whether there are others behind a gap.

    A segment of which only a part is there has a gap behind it, if the log goes on.
    """

    last: int
    gap: bool


@dataclass(frozen=True)
class LogArchive:
    """The kept files by the names that Postgres asks for; `segment` is the size of each in bytes."""

    files: Mapping[str, Path]
    segment: int

    @classmethod
    def read(cls, folders: Iterable[Path], segment: int) -> Self:
        """What lies in these folders. Raises OSError."""
        files: dict[str, Path] = {}
        for path in (path for folder in folders for path in folder.iterdir()):
            name = path.name.removesuffix(PARTIAL)
            if not SEGMENT.fullmatch(name) and not HISTORY.fullmatch(name):
                continue
            if path.name.endswith(PARTIAL) and _is_begun_only(current(path), segment):
                continue
            if name not in files or _rank(path) > _rank(files[name]):
                files[name] = path
        return cls(files, segment)

    def timelines(self) -> Set[int]:
        """Those of which anything is here."""
        return {int(name[:8], 16) for name in self.files}

    def written_at(self, timeline: int) -> datetime | None:
        """When the newest log of a timeline was kept, None if there is none. Raises OSError."""
        own = [current(path) for name, path in self.files.items() if name.startswith(f"{timeline:08X}")]
        times = [path.stat().st_mtime for path in own if not HISTORY.fullmatch(path.name)]
        return datetime.fromtimestamp(max(times), UTC) if times else None

    def past(self, timeline: int) -> Sequence[Span]:
        """The spans that lead to a timeline, the oldest first. Raises OSError, ValueError for a garbled history."""
        history = self.files.get(f"{timeline:08X}.history")
        spans = list(spans_of(history.read_text("utf-8"))) if history is not None else []
        return [*spans, Span(timeline, None)]

    def reach(self, position: int, past: Sequence[Span]) -> Reach:
        """How far the log goes that follows a backup which ended at `position`.

        What the backup itself has of its last segment needn't be all of that.
        """
        segments, last = self.segments(past), position // self.segment
        for number in sorted(number for number in segments if number > last):
            if number != last + 1 or not is_whole(segments.get(last)):
                return Reach(last, gap=True)
            last = number
        return Reach(last, gap=False)

    def segments(self, past: Sequence[Span]) -> Mapping[int, Path]:
        """The segments of this past by their numbers; where timelines part, the later one's."""
        return dict(self._segments_of(past))

    def replayed(self, position: int, past: Sequence[Span], moment: datetime | None) -> int:
        """Bytes of the log of this past that is replayed on a backup which ended at `position`, up to `moment`.

        A segment that was last written after the moment is the last one. Raises OSError.
        """
        segments = self.segments(past)
        behind = [current(path) for number, path in segments.items() if number > position // self.segment]
        written = [path.stat().st_mtime for path in behind]
        before = [time for time in written if moment is None or time < moment.timestamp()]
        return self.segment * min(len(before) + 1, len(written))

    def older_than(self, segment: int) -> list[Path]:
        """The segments before this one, of whatever timeline."""
        return [path for name, path in self.files.items() if (n := self._number(name)) is not None and n < segment]

    def _segments_of(self, past: Sequence[Span]) -> Iterator[tuple[int, Path]]:
        """The numbers and files of the segments that belong to this past; where timelines part there may be two."""
        begin = 0
        for timeline, end in past:
            last = None if end is None else end // self.segment
            for name, path in self.files.items():
                number = self._number(name)
                if number is None or int(name[:8], 16) != timeline:
                    continue
                if number >= begin and (last is None or number <= last):
                    yield number, path
            begin = 0 if last is None else last

    def _number(self, name: str) -> int | None:
        return number_of(name, self.segment) if SEGMENT.fullmatch(name) else None


def has_segments(folder: Path) -> bool:
    """Whether any segment lies in a folder, or a part of one. Raises OSError."""
    return any(SEGMENT.fullmatch(path.name.removesuffix(PARTIAL)) for path in folder.iterdir())


def whole_until(folder: Path, segment: int) -> int | None:
    """The position where the newest segment ends that a receiver has completed in a folder; None if there is none.

    Raises OSError.
    """
    whole = max((path.name for path in folder.iterdir() if SEGMENT.fullmatch(path.name)), default=None)
    return None if whole is None else (number_of(whole, segment) + 1) * segment


def current(path: Path) -> Path:
    """Where a segment is that was at `path`: a receiver that completes a partial one gives it its whole name."""
    return path if path.exists() else path.with_name(path.name.removesuffix(PARTIAL))


def is_whole(segment: Path | None) -> bool:
    """Whether all of a segment is there, which may have been kept or not."""
    return segment is not None and not current(segment).name.endswith(PARTIAL)


def number_of(name: str, segment: int) -> int:
    """The number of the segment of this name, counted over all that there ever were."""
    return int(name[8:16], 16) * (_LOG_BYTES // segment) + int(name[16:], 16)


def spans_of(history: str) -> Iterator[Span]:
    """The spans that a timeline's history file names, the oldest first. Raises ValueError."""
    for line in history.splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            timeline, end, *_ = line.split()
            yield Span(int(timeline), datafolder.position_of(end))


def _rank(path: Path) -> tuple[bool, bool, float]:
    path = current(path)
    whole = not path.name.endswith(PARTIAL)
    return whole, whole or _has_log(path), path.stat().st_mtime


def _is_begun_only(partial: Path, segment: int) -> bool:
    return partial.stat().st_size < segment and not _has_log(partial)


def _has_log(partial: Path) -> bool:
    """Whether anything was written into a part of a segment: zeros at first, it is written from its beginning on."""
    with partial.open("rb") as file:
        return any(file.read(_PAGE_HEADER))
