"""Joins the histories of the generators of one run into one, as if one process had written it.

Law: lines are in the order of their times, which all generators of a machine count from one moment; those of one
generator keep their order. Processes and lines get new numbers, so that none is there twice.
"""

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import orjson

from bots.history.lines import INVOKE, HistoryLine, header, read_lines


def part_of(history: Path, number: int) -> Path:
    """Return where a generator writes its history; `number` counts from 0."""
    return history.with_name(f"{history.name}.part-{number}")


def join(history: Path, parts: int, started: str) -> None:
    """Write the histories of so many generators as one, and remove them; one that is missing wrote nothing.

    `started` is the moment (ISO 8601, UTC) from which all count. Raises BadHistoryError, OSError.
    """
    files = [file for number in range(parts) if (file := part_of(history, number)).exists()]
    with history.open("wb") as joined:
        joined.write(orjson.dumps(header(started)) + b"\n")
        for line in _renumbered(files):
            words = asdict(line)
            if line.operation is None:
                del words["operation"]
            joined.write(orjson.dumps(words) + b"\n")
    for file in files:
        file.unlink()


def _renumbered(files: Sequence[Path]) -> Iterator[HistoryLine]:
    sources = [_of_source(number, file) for number, file in enumerate(files)]
    processes: dict[tuple[int, int], int] = {}
    invoked: dict[tuple[int, int], int] = {}
    for index, (_, source, line) in enumerate(heapq.merge(*sources, key=lambda row: row[0]), 1):
        process = processes.setdefault((source, line.process), len(processes) + 1)
        ended = None if line.operation is None else invoked.pop((source, line.operation), None)
        if line.type == INVOKE:
            invoked[source, line.index] = index
        yield HistoryLine(index, line.time, process, line.type, line.f, line.value, ended)


def _of_source(number: int, file: Path) -> Iterator[tuple[int, int, HistoryLine]]:
    for line in read_lines(file):
        yield line.time, number, line
