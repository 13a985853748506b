"""The lines of a history, as docs/histories.md describes them, read back from a file.

Law: a file that was cut off in the middle of its last line, as by a kill, is read up to there; any other fault is named
with its line.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

FORMAT, VERSION = "heroledger-history", 1
INVOKE, OK, FAIL, INFO = "invoke", "ok", "fail", "info"
"""Types of lines; `info` is an end of unknown effect, or something that nobody asked for."""
NEVER_WRITTEN = frozenset({"session", "device", "token", "password", "resume"})
"""Fields that open sessions, or say nothing of what a player did."""


class BadHistoryError(ValueError):
    """A file isn't a history, or is one of another version; the text says what is wrong, and in which line."""


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """One line: `time` in nanoseconds since the start; `operation` is the index of the line that it ends."""

    index: int
    time: int
    process: int
    type: str
    f: str
    value: Mapping[str, Any]
    operation: int | None = None


def header(started: str) -> dict[str, Any]:
    """Return the first line of a history that began at `started` (ISO 8601, UTC)."""
    return {"format": FORMAT, "version": VERSION, "started": started}


def read_lines(path: Path) -> Iterator[HistoryLine]:
    """Read a history, line by line; raises BadHistoryError and OSError."""
    with path.open("rb") as file:
        _require_header(path, file.readline())
        for number, line in enumerate(file, 2):
            if line.endswith(b"\n"):
                yield _line(path, number, line)


def _require_header(path: Path, line: bytes) -> None:
    try:
        first = orjson.loads(line)
    except orjson.JSONDecodeError:
        first = None
    if not isinstance(first, dict) or first.get("format") != FORMAT:
        raise BadHistoryError(f"{path} isn't a history: `bots run --history FILE` writes one")
    if first.get("version") != VERSION:
        raise BadHistoryError(f"{path} is a history of version {first.get('version')!r}, known is {VERSION}")


def _line(path: Path, number: int, text: bytes) -> HistoryLine:
    try:
        line = HistoryLine(**orjson.loads(text))
    except (orjson.JSONDecodeError, TypeError) as error:
        raise BadHistoryError(f"{path}, line {number}: {error}") from error
    numbers = (line.index, line.time, line.process)
    if not all(isinstance(value, int) for value in numbers) or not isinstance(line.value, dict):
        raise BadHistoryError(f"{path}, line {number}: index, time and process are whole numbers, value is an object")
    if line.type not in (INVOKE, OK, FAIL, INFO):
        raise BadHistoryError(f"{path}, line {number}: the type {line.type!r} is unknown")
    return line
