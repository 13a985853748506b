"""One line of the bench: what a door did under one load, and what each answer cost; as JSON, and as a row."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Column, Table

GENERATOR = "generator"
BUSY = 0.9
"""A generator that uses more of its core is itself the bottleneck."""


@dataclass(frozen=True, slots=True)
class Line:
    """`cpu_us`: microseconds of processor time per answer, by kind of process; latencies in ms.

    `generator_share` is the generator's share of one core, `of_raw` the throughput's share of the raw limit that the
    door is held against. Of a line with errors no figure is clean. Without `connections` it is no door, but a loop or a
    command of its own.
    """

    door: str
    way: str
    nodes: int
    players: int
    connections: int
    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us: Mapping[str, float]
    generator_share: float
    refused: Mapping[str, int] = field(default_factory=dict)
    errors: Mapping[str, int] = field(default_factory=dict)
    of_raw: float | None = None
    note: str = ""

    @property
    def key(self) -> tuple[str, str, int, int, int]:
        return self.door, self.way, self.nodes, self.players, self.connections

    @property
    def title(self) -> str:
        return self.door if self.way == "direct" else f"{self.door} ({self.way})"

    def flaws(self) -> list[str]:
        """Why the figures aren't the door's; empty for clean ones."""
        faults = [f"{count:,} {code}" for code, count in self.errors.items()]
        busy = self.generator_share > BUSY and self.connections > 0
        return (
            faults + (["the generator is the bottleneck"] if busy else []) + ([] if self.per_second else ["no answer"])
        )

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"clean": not self.flaws()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Line":
        return cls(**{name: part for name, part in value.items() if name != "clean"})


def figures(line: Line) -> list[str]:
    rate = f"{line.per_second:,.0f}" if line.per_second >= 10 else f"{line.per_second:,.1f}"
    return [f"[red]({rate})[/]" if line.flaws() else rate, f"{line.p50_ms:,.1f}", f"{line.p99_ms:,.1f}"]


def show(console: Console, lines: Sequence[Line]) -> None:
    """A table for each stack, one row a line."""
    processes = [*dict.fromkeys(name for line in lines for name in line.cpu_us)]
    heads = ("per second", "p50 ms", "p99 ms", *(f"{name} µs" for name in processes), "generator", "of raw")
    table = Table("door", "conns", *(Column(head, justify="right") for head in heads), "flaws and notes")
    table.caption = "µs: processor time per answer; generator: its share of one core"
    for line in lines:
        costs = [f"{line.cpu_us[name]:,.0f}" if name in line.cpu_us else "" for name in processes]
        share = "" if line.of_raw is None else f"{line.of_raw:.0%}"
        refused = [f"{count:,} refused: {code}" for code, count in line.refused.items()]
        notes = ", ".join([*(f"[red]{flaw}[/]" for flaw in line.flaws()), *refused, *filter(None, [line.note])])
        cells = [*figures(line), *costs, f"{line.generator_share:.0%}", share, notes]
        table.add_row(line.title, str(line.connections or ""), *cells)
    console.print(table)
