"""Two ways of running the same thing, compared over repeats: what differs beyond what it differs by itself.

Law: repeats of the two take turns, since a machine has faster and slower hours. What was run one after the other is
compared all the same, and it is said.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from bots.count.document import VIOLATED, BadDocumentError, RunDocument
from bots.count.operations import OperationCounts
from bots.report.bootstrap import MedianDifference, Ratio, difference_of_medians, ratio_of_medians

REPEATS = 5
CONFIDENCE = 0.99
"""Of one figure. There are some forty, so with 0.95 two would differ by chance."""
LATENCIES = (50.0, 99.0)
SHARE = "%"
VIOLATIONS = "violated invariants"


@dataclass(frozen=True, slots=True)
class ComparedFigure:
    """One figure of both sides: their medians, how the second compares to the first, and which way is better.

    Shares, and whatever may be 0, are compared by their difference, everything else by its ratio.
    """

    name: str
    unit: str
    before: float
    after: float
    change: Ratio | MedianDifference
    more_is_better: bool

    @property
    def ratio(self) -> Ratio | None:
        """The ratio, if that is how it is compared."""
        return self.change if isinstance(self.change, Ratio) else None

    @property
    def difference(self) -> MedianDifference | None:
        """The difference, if that is how it is compared."""
        return self.change if isinstance(self.change, MedianDifference) else None

    @property
    def verdict(self) -> str:
        """`same` where the difference may be noise; else `better` or `worse`."""
        if not self.change.differs:
            return "same"
        return "better" if self.change.is_more == self.more_is_better else "worse"


@dataclass(frozen=True, slots=True)
class RunComparison:
    """All figures of two sides; `remarks` are what a reader must know to trust them."""

    repeats: tuple[int, int]
    confidence: float
    figures: Sequence[ComparedFigure]
    remarks: Sequence[str]

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        figures = [
            {
                "name": figure.name,
                "unit": figure.unit,
                "before": figure.before,
                "after": figure.after,
                "ratio": None if figure.ratio is None else figure.ratio._asdict(),
                "difference": None if figure.difference is None else figure.difference._asdict(),
                "verdict": figure.verdict,
            }
            for figure in self.figures
        ]
        remarks = list(self.remarks)
        return {"repeats": self.repeats, "confidence": self.confidence, "figures": figures, "remarks": remarks}


def compare(
    before: Sequence[RunDocument], after: Sequence[RunDocument], confidence: float = CONFIDENCE
) -> RunComparison:
    """Compare two sides. Raises BadDocumentError for too few repeats, and for a run that counts for nothing."""
    for side, documents in (("first", before), ("second", after)):
        if len(documents) < REPEATS:
            raise BadDocumentError(f"the {side} side has {len(documents)} runs: at least {REPEATS} tell noise apart")
        if void := next((document.void for document in documents if document.void), None):
            raise BadDocumentError(f"a run of the {side} side is void: {void}")
    ours, theirs = [_figures(document) for document in before], [_figures(document) for document in after]
    names = [name for name in ours[0] if all(name in figures for figures in (*ours, *theirs))]
    figures = [
        _compared(name, [each[name] for each in ours], [each[name] for each in theirs], confidence) for name in names
    ]
    figures.append(_violations(before, after))
    return RunComparison((len(before), len(after)), confidence, figures, _remarks(before, after))


@dataclass(frozen=True, slots=True)
class _Figure:
    value: float
    unit: str
    more_is_better: bool = False


def _compared(name: str, before: Sequence[_Figure], after: Sequence[_Figure], confidence: float) -> ComparedFigure:
    ours, theirs = [figure.value for figure in before], [figure.value for figure in after]
    ratio = None if before[0].unit == SHARE else ratio_of_medians(ours, theirs, confidence)
    change = ratio or difference_of_medians(ours, theirs, confidence)
    return ComparedFigure(name, before[0].unit, median(ours), median(theirs), change, before[0].more_is_better)


def _violations(before: Sequence[RunDocument], after: Sequence[RunDocument]) -> ComparedFigure:
    """Of a run, in the mean: a single one more is no noise."""
    ours, theirs = (_mean([_violated(document) for document in side]) for side in (before, after))
    more = theirs - ours
    return ComparedFigure(VIOLATIONS, "a run", ours, theirs, MedianDifference(more, more, more), more_is_better=False)


def _violated(document: RunDocument) -> int:
    return sum(row.verdict == VIOLATED for row in document.proof)


def _figures(document: RunDocument) -> Mapping[str, _Figure]:
    """The figures of one run, by name."""
    totals, seconds = document.totals(), document.measured_seconds()
    everything = totals.all()
    found = {"answers": _Figure(everything.planned.count / seconds, "/s", more_is_better=True)}
    for name, counts in [("all", everything), *sorted(totals.operations.items())]:
        found |= _latencies(name, counts)
    errors = everything.errors.total()
    found["errors"] = _Figure(100 * errors / max(errors + everything.planned.count, 1), SHARE)
    if document.generator:
        found["generator's cores"] = _Figure(_mean([row.cpu for row in document.generator]), "")
    return found


def _latencies(name: str, counts: OperationCounts) -> dict[str, _Figure]:
    kinds = (("planned", counts.planned), ("service", counts.service))
    return {
        f"{name} p{part:g} {kind}": _Figure(histogram.at(part) * 1000, "ms")
        for kind, histogram in kinds
        for part in LATENCIES
        if histogram.count
    }


def _remarks(before: Sequence[RunDocument], after: Sequence[RunDocument]) -> list[str]:
    remarks = []
    if not _interleaved(before, after):
        remarks.append("The runs of the two sides didn't take turns: the machine's own changes count as a difference.")
    facts: Sequence[tuple[str, Callable[[RunDocument], object]]] = (
        ("the plan", lambda document: document.setup.plan),
        ("the machine", lambda document: {**document.setup.machine, "load": None}),
        ("the length", lambda document: round(document.setup.seconds, 1)),
    )
    for what, fact in facts:
        values = [fact(document) for document in (*before, *after)]
        if any(value != values[0] for value in values):
            remarks.append(f"Not all runs have the same in common: {what} differs.")
    broken = sum(map(_violated, (*before, *after)))
    return remarks + ([f"{broken} invariants were violated: see the reports of the runs."] if broken else [])


def _interleaved(before: Sequence[RunDocument], after: Sequence[RunDocument]) -> bool:
    """Whether neither side began more than two runs in a row."""
    sides = [(document.setup.started, "before") for document in before]
    order = [side for _, side in sorted([*sides, *((document.setup.started, "after") for document in after)])]
    return not any(len({*order[at : at + 3]}) == 1 for at in range(len(order) - 2))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
