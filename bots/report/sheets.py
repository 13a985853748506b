"""A run as CSV, a row for each second and operation: for spreadsheets and notebooks."""

import csv
from collections.abc import Iterator
from pathlib import Path

from bots.count.document import RunDocument
from bots.count.operations import OperationCounts

PARTS = (50.0, 90.0, 99.0, 99.9)
HEADS = (
    "second", "operation", "ok", "refused", "errors", "unsent", "late",
    *(f"planned_p{part:g}_ms" for part in PARTS), "planned_max_ms",
    *(f"service_p{part:g}_ms" for part in PARTS), "service_max_ms",
)  # fmt: skip
RISKY = ("=", "+", "-", "@", "\t", "\r")
"""How a text begins that a spreadsheet takes for a formula."""


def write(document: RunDocument, file: Path) -> None:
    """Write the seconds of a run. Raises OSError."""
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(HEADS)
        writer.writerows(_rows(document))


def _rows(document: RunDocument) -> Iterator[list[str | int]]:
    for second in document.seconds:
        for name, counts in sorted(second.counts.operations.items()):
            yield [second.at, _plain(name), *_figures(counts)]


def _figures(counts: OperationCounts) -> list[str | int]:
    times = [
        "" if not histogram.count else f"{histogram.at(part) * 1000:.3f}"
        for histogram in (counts.planned, counts.service)
        for part in (*PARTS, 100.0)
    ]
    return [counts.ok, counts.refused.total(), counts.errors.total(), counts.unsent, counts.late, *times]


def _plain(text: str) -> str:
    return f"'{text}" if text.startswith(RISKY) else text
