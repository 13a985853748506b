"""Objectives of a run, such as `act p99 < 50ms`: read, checked against its totals, and reported one by one. Pure.

An objective names an operation (`hunt`, `read`, `sign_up`, …), `act` for all actions, or `all`; then a figure; then `<`
or `>`; then a value. Figures: `p50` to `p99.9`, `max` and `mean` are latencies from the planned moment, or
`service p99` from the sending; `rate` is answers per second, `errors` the share of operations that never got an answer
of theirs or were never sent.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from bots.count.latencies import Latencies
from bots.count.operations import OperationCounts, RunCounts
from bots.count.tally import GAVE_UP

NOT_ACTIONS = frozenset({"read", "items", "board", "around", "sign_up", "sign_in", "reconnect"})
"""What bots do besides the game's actions."""
SUMS = frozenset({"act", "all"})
PATTERN = re.compile(
    r"(?P<operation>\w+)\s+(?P<service>service\s+)?(?P<figure>p\d{1,2}(?:\.\d+)?|max|mean|rate|errors)\s*"
    r"(?P<sign>[<>])\s*(?P<value>\d+(?:\.\d+)?)\s*(?P<unit>us|µs|ms|s|%|/s|)"
)
EXAMPLES = "'act p99 < 50ms', 'act errors < 0.1%' or 'act rate > 500/s'"
SECONDS: Mapping[str, float] = {"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0}


class BadObjectiveError(ValueError):
    """A text isn't an objective; the text of the error is one sentence that says why."""


@dataclass(frozen=True, slots=True)
class Objective:
    """One objective; `limit` is in seconds, operations per second, or a share, as its figure is."""

    text: str
    operation: str
    figure: str
    from_planned: bool
    below: bool
    limit: float


@dataclass(frozen=True, slots=True)
class ObjectiveVerdict:
    """An objective and what was measured; `value` is None if nothing of it happened, which doesn't keep it."""

    objective: Objective
    value: float | None

    @property
    def kept(self) -> bool:
        """Whether the objective was reached."""
        if self.value is None:
            return False
        return self.value < self.objective.limit if self.objective.below else self.value > self.objective.limit

    def sentence(self) -> str:
        """Say what was measured."""
        measured = "nothing of it happened" if self.value is None else f"measured {_shown(self)}"
        return f"{self.objective.text}: {'kept' if self.kept else 'MISSED'}, {measured}"


def parse(text: str) -> Objective:
    """Read an objective; raises BadObjectiveError."""
    match = PATTERN.fullmatch(text.strip())
    if match is None:
        raise BadObjectiveError(
            f"{text!r} isn't an objective such as 'act p99 < 50ms', 'act errors < 0.1%', 'act rate > 500/s'"
        )
    figure, unit, value = match["figure"], match["unit"], float(match["value"])
    is_latency = figure not in ("rate", "errors")
    if is_latency and unit not in SECONDS:
        raise BadObjectiveError(f"{text!r}: a latency needs a unit: us, ms or s")
    if not is_latency and (unit in SECONDS or match["service"] or unit not in ("/s" if figure == "rate" else "%", "")):
        raise BadObjectiveError(f"{text!r}: `rate` is a number per second, `errors` a share or a number of per cent")
    limit = value * SECONDS[unit] if is_latency else value / 100 if unit == "%" else value
    return Objective(text.strip(), match["operation"], figure, not match["service"], match["sign"] == "<", limit)


def unknown(objectives: Iterable[Objective], actions: Iterable[str]) -> Objective | None:
    """Return the first objective of an operation that no run on a game with these actions can have."""
    known = NOT_ACTIONS | SUMS | frozenset(actions)
    return next((objective for objective in objectives if objective.operation not in known), None)


def check(objective: Objective, totals: RunCounts, seconds: float) -> ObjectiveVerdict:
    """Compare an objective with what was counted in so many seconds."""
    chosen = OperationCounts()
    for name, counts in totals.operations.items():
        if name == objective.operation or _IS_IN.get(objective.operation, _never)(name):
            chosen.add(counts)
    return ObjectiveVerdict(objective, _value(objective, chosen, seconds))


def _never(_name: str) -> bool:
    return False


_IS_IN: Mapping[str, Callable[[str], bool]] = {
    "act": lambda name: name not in NOT_ACTIONS,
    "all": lambda _name: True,
}


def _value(objective: Objective, counts: OperationCounts, seconds: float) -> float | None:
    answered, lost = counts.planned.count, counts.errors[GAVE_UP] + counts.unsent
    if not answered + lost:
        return None
    if objective.figure == "rate":
        return answered / seconds
    if objective.figure == "errors":
        return lost / (answered + lost)
    return _latency(objective.figure, counts.planned if objective.from_planned else counts.service)


def _latency(figure: str, latencies: Latencies) -> float | None:
    if not latencies.count:
        return None
    match figure:
        case "max":
            return latencies.longest()
        case "mean":
            return latencies.mean()
    return latencies.at(float(figure[1:]))


def _shown(verdict: ObjectiveVerdict) -> str:
    assert verdict.value is not None
    match verdict.objective.figure:
        case "rate":
            return f"{verdict.value:,.1f}/s"
        case "errors":
            return f"{verdict.value:.3%}"
    return f"{verdict.value * 1000:,.2f} ms"
