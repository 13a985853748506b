"""What is counted of each operation (`hunt`, `read`, `sign_up`, …) in one second of a run, or in all of it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from bots.count.latencies import Latencies

LATE_SECONDS = 0.01
DIGITS = 2
"""Of the histograms: a bucket is at most 0.8 per cent wide, and a second's histogram takes a few hundred bytes."""


def _histogram() -> Latencies:
    return Latencies(DIGITS)


@dataclass(slots=True)
class OperationCounts:
    """One operation; `planned` are latencies from the planned moment, `service` those from when it was sent.

    Both hold the operations that got an answer that is theirs: a success, which `ok` counts, or a refusal by a rule,
    which `refused` counts by code. `errors` are all other answers to attempts by code, also where a later attempt
    succeeded; `gave_up` where none did. `unsent` were planned and never begun, `late` begun more than LATE_SECONDS
    after their planned moment.
    """

    planned: Latencies = field(default_factory=_histogram)
    service: Latencies = field(default_factory=_histogram)
    ok: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    unsent: int = 0
    late: int = 0

    def add(self, other: "OperationCounts") -> None:
        """Count all of another's operations too."""
        self.planned.add(other.planned)
        self.service.add(other.service)
        self.ok += other.ok
        self.refused += other.refused
        self.errors += other.errors
        self.unsent += other.unsent
        self.late += other.late

    def as_json(self) -> dict[str, Any]:
        """Return the counts as JSON values."""
        return {
            "planned": self.planned.as_text(),
            "service": self.service.as_text(),
            "ok": self.ok,
            "refused": dict(self.refused),
            "errors": dict(self.errors),
            "unsent": self.unsent,
            "late": self.late,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read what `as_json` returned; raises ValueError, KeyError or TypeError."""
        planned, service = Latencies.from_text(value["planned"]), Latencies.from_text(value["service"])
        if {planned.digits, service.digits} != {DIGITS}:
            raise ValueError(f"its histograms don't have {DIGITS} significant digits")
        refused, errors = (_counter(value.get(name, {})) for name in ("refused", "errors"))
        return cls(
            planned, service, _count(value["ok"]), refused, errors, _count(value["unsent"]), _count(value["late"])
        )


@dataclass(slots=True)
class RunCounts:
    """Everything that was answered in one second, or in all: by operation, by node, by database.

    `nodes` and `databases` count answers; `databases` is empty where nothing says which database has which player.
    """

    operations: dict[str, OperationCounts] = field(default_factory=dict)
    nodes: Counter[str] = field(default_factory=Counter)
    databases: Counter[str] = field(default_factory=Counter)

    def of(self, name: str) -> OperationCounts:
        """Return the counts of an operation, which are 0 at first."""
        counts = self.operations.get(name)
        if counts is None:
            counts = self.operations[name] = OperationCounts()
        return counts

    def all(self) -> OperationCounts:
        """Return the sum over all operations."""
        total = OperationCounts()
        for counts in self.operations.values():
            total.add(counts)
        return total

    def add(self, other: "RunCounts") -> None:
        """Count all of another's answers too."""
        for name, counts in other.operations.items():
            self.of(name).add(counts)
        self.nodes += other.nodes
        self.databases += other.databases

    def pack(self) -> None:
        """Keep the histograms in little memory."""
        for counts in self.operations.values():
            counts.planned.pack()
            counts.service.pack()

    def as_json(self) -> dict[str, Any]:
        """Return the counts as JSON values."""
        return {
            "operations": {name: counts.as_json() for name, counts in sorted(self.operations.items())},
            "nodes": dict(sorted(self.nodes.items())),
            "databases": dict(sorted(self.databases.items())),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read what `as_json` returned; raises ValueError, KeyError or TypeError."""
        operations = {str(name): OperationCounts.from_json(counts) for name, counts in value["operations"].items()}
        return cls(operations, _counter(value["nodes"]), _counter(value["databases"]))


def _counter(value: Mapping[str, Any]) -> Counter[str]:
    return Counter({str(name): _count(count) for name, count in value.items()})


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{value!r:.80} isn't a count")
    return value
