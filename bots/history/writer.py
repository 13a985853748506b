"""Writes the history of a run as it happens.

Law: what an operation was answered is written after its invocation, and no secret is written at all. A file that can't
be written any more stops no bot: the history ends there, and `fault` says why.
"""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from bots.history.lines import INFO, INVOKE, NEVER_WRITTEN, header

BUFFER_BYTES = 1 << 20


class HistoryWriter:
    """One per run. A process is a client of one player; its operations may overlap."""

    def __init__(self, path: Path, began: int | None = None) -> None:
        """Begin the file; raises OSError. Times count from `began` (monotonic nanoseconds), now if it isn't given."""
        self.fault = ""
        self._file = path.open("wb", buffering=BUFFER_BYTES)
        self._began = time.monotonic_ns() if began is None else began
        self._processes = self._lines = 0
        self._write(header(datetime.now(UTC).isoformat(timespec="milliseconds")))

    def new_process(self) -> int:
        """Return a number that no other process has."""
        self._processes += 1
        return self._processes

    def invoke(self, process: int, f: str, value: Mapping[str, Any]) -> int:
        """Write that an operation begins; returns its number."""
        return self._add(process, INVOKE, f, value, None)

    def end(self, process: int, operation: int, kind: str, f: str, value: Mapping[str, Any]) -> None:
        """Write how an operation ended: ok, fail, or info if it may have taken effect."""
        self._add(process, kind, f, value, operation)

    def note(self, process: int, f: str, value: Mapping[str, Any]) -> None:
        """Write something that the server sent without a request."""
        self._add(process, INFO, f, value, None)

    def close(self) -> None:
        """Write what is left."""
        try:
            self._file.close()
        except OSError as error:
            self.fault = self.fault or str(error)

    def _add(self, process: int, kind: str, f: str, value: Mapping[str, Any], operation: int | None) -> int:
        self._lines += 1
        line: dict[str, Any] = {
            "index": self._lines,
            "time": time.monotonic_ns() - self._began,
            "process": process,
            "type": kind,
            "f": f,
            "value": {name: field for name, field in value.items() if name not in NEVER_WRITTEN},
        }
        if operation is not None:
            line["operation"] = operation
        self._write(line)
        return self._lines

    def _write(self, line: Mapping[str, Any]) -> None:
        if self.fault:
            return
        try:
            self._file.write(orjson.dumps(line) + b"\n")
        except OSError as error:
            self.fault = str(error)
