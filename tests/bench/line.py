"""One line of the bench: what a door did under one load, and what each answer cost; as JSON, and as a row."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Column, Table

from tests.bench.processor import TICK

GENERATOR = "generator"
PROCESSES = ("node", "postgres", "replica", "redis", "haproxy", GENERATOR)
TICKS = 10
BUSY = 0.9
"""A generator that uses more of its core is itself the bottleneck."""


@dataclass(frozen=True, slots=True)
class RawLimit:
    """What a door is held against: what a loop or a handler does that leaves out all but the bare work."""

    name: str
    per_second: float
    cpu_us: Mapping[str, float]

    @property
    def server_us(self) -> float:
        """Microseconds of processor time per answer, without those of who asks."""
        return sum(cost for name, cost in self.cpu_us.items() if name != GENERATOR)


@dataclass(frozen=True, slots=True)
class Line:
    """`cpu_us`: microseconds of processor time per answer, by kind of process; latencies in ms.

    `generator_share` is the generator's share of one core. Of a line with errors no figure is clean. Without
    `connections` it is no load, but a command.
    """

    door: str
    way: str
    nodes: int
    players: int
    connections: int
    answers: int
    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us: Mapping[str, float]
    generator_share: float
    refused: Mapping[str, int] = field(default_factory=dict)
    errors: Mapping[str, int] = field(default_factory=dict)
    raw: RawLimit | None = None
    note: str = ""
    ledger: int = 0
    """Rows in the ledgers before."""

    def key(self, *but: str) -> tuple[object, ...]:
        """What the line measured, but for what these fields say."""
        names = ("door", "way", "nodes", "players", "ledger", "connections")
        return tuple(getattr(self, name) for name in names if name not in but)

    @property
    def title(self) -> str:
        return self.door if self.way == "direct" else f"{self.door} ({self.way})"

    def flaws(self) -> list[str]:
        """Why the figures aren't the door's; empty for clean ones."""
        faults = [f"{count:,} {code}" for code, count in self.errors.items()]
        busy = self.generator_share > BUSY and self.connections > 0
        silent = [] if self.per_second else ["no answer"]
        return faults + silent + (["the generator is the bottleneck"] if busy else [])

    def cost(self, process: str) -> float | None:
        """Microseconds per answer; None for fewer ticks of the kernel's clock than say something."""
        cost = self.cpu_us.get(process, 0.0)
        return cost if cost * self.answers / 1e6 >= TICKS * TICK else None

    def remarks(self) -> list[str]:
        refused = [f"{count:,} refused: {code}" for code, count in self.refused.items()]
        return [*(f"[red]{flaw}[/]" for flaw in self.flaws()), *refused, *filter(None, [self.note])]

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"clean": not self.flaws()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Line":
        fields = {name: part for name, part in value.items() if name != "clean"}
        return cls(**fields | {"raw": RawLimit(**value["raw"]) if value["raw"] else None})


def rate(per_second: float) -> str:
    return f"{per_second:,.0f}" if per_second >= 10 else f"{per_second:,.1f}"


def limit_cells(line: Line) -> list[str]:
    if line.raw is None:
        return ["", "", ""]
    share = f"{line.per_second / line.raw.per_second:.0%}" if line.raw.per_second else "no answer"
    return [rate(line.raw.per_second), share, f"{line.raw.server_us:,.0f}"]


def cells(line: Line, processes: Sequence[str]) -> list[str]:
    shown = rate(line.per_second)
    return [
        line.title,
        str(line.connections or ""),
        f"[red]({shown})[/]" if line.flaws() else shown,
        f"{line.p50_ms:,.1f}",
        f"{line.p99_ms:,.1f}",
        *(f"{line.cpu_us[name]:,.0f}" if name in line.cpu_us else "" for name in processes),
        f"{line.generator_share:.0%}" if line.connections else "",
        *limit_cells(line),
    ]


def show(console: Console, lines: Sequence[Line]) -> None:
    """A table, one row a line, and below it what is to be said about some of them."""
    processes = [name for name in PROCESSES if any(name in line.cpu_us for line in lines)]
    heads = ("conns", "per second", "p50 ms", "p99 ms", *(f"{name} µs" for name in processes))
    limits = ("its core", "raw limit", "of raw", "raw µs")
    table = Table(Column("door", no_wrap=True), *(Column(head, justify="right") for head in (*heads, *limits)))
    table.caption = "µs: processor time per answer; its core: the generator's share of one; (…): not a clean figure"
    for line in lines:
        table.add_row(*cells(line, processes))
    console.print(table)
    for line in lines:
        if remarks := line.remarks():
            console.print(f"{line.title}, {line.connections}: {', '.join(remarks)}", highlight=False)
