"""The seconds of a run put together into bins, so that a long run makes no longer report."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bots.count.document import GeneratorSecond, RunDocument
from bots.count.operations import OperationCounts, RunCounts

POINTS = 900
"""The most bins of a chart."""
ROWS = 20
"""The most rows of the table below it."""


@dataclass(slots=True)
class Bin:
    """What was counted from `at` on, for so many `seconds`; `total` is the sum over the operations."""

    at: float
    seconds: float
    counts: RunCounts
    total: OperationCounts

    def rate(self, count: int) -> float:
        """How many that were a second."""
        return count / self.seconds


def binned(document: RunDocument, most: int) -> list[Bin]:
    """Every second of the run in at most `most` bins of whole seconds; a second without any answer counts as empty."""
    if not document.seconds:
        return []
    first, last = document.seconds[0].at, document.seconds[-1].at
    width = width_of(last - first + 1, most)
    bins = [Bin(at, min(width, last + 1 - at), RunCounts(), OperationCounts()) for at in range(first, last + 1, width)]
    for second in document.seconds:
        bins[(second.at - first) // width].counts.add(second.counts)
    for each in bins:
        each.total = each.counts.all()
    return bins


def width_of(seconds: int, most: int) -> int:
    """How many seconds a bin has: the least round number with which there are at most `most`."""
    return next(width for width in _widths() if -(-seconds // width) <= most)


def _widths() -> Iterator[int]:
    scale = 1
    while True:
        yield from (scale, 2 * scale, 5 * scale)
        scale *= 10


def generators(document: RunDocument, most: int) -> list[tuple[int, Sequence[GeneratorSecond]]]:
    """The generator's seconds, all its processes, in the same bins: each with where it begins."""
    if not document.generator:
        return []
    first, last = document.generator[0].at, document.generator[-1].at
    width = width_of(last - first + 1, most)
    rows: dict[int, list[GeneratorSecond]] = {at: [] for at in range(first, last + 1, width)}
    for second in document.generator:
        rows[first + (second.at - first) // width * width].append(second)
    return [(at, found) for at, found in rows.items() if found]
