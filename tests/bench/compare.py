"""`make bench-compare A=… B=…`: the figures of two runs of `make bench --json`, as ratios of B to A.

Processor time per answer may be compared between runs; throughput and latencies only when nothing else used the
machine. A line that either run marked as flawed has no ratio.
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Column, Table

from tests.bench.line import GENERATOR, Line
from tests.bench.report import read


def ratio(before: float | None, after: float | None) -> str:
    return f"{after / before:.2f}" if before and after else ""


def change(before: int, after: int) -> str:
    return f"{before:,}" if before == after else f"{before:,} → {after:,}"


def row(before: Line, after: Line, processes: Sequence[str]) -> list[str]:
    loads = ((before.nodes, after.nodes), (before.players, after.players))
    place = [before.title, *(change(*pair) for pair in loads), str(before.connections or "")]
    if flaws := [*before.flaws(), *after.flaws()]:
        return [*place, f"[red]{flaws[0]}[/]"]
    costs = [ratio(before.cost(name), after.cost(name)) for name in processes]
    rates = [(before.per_second, after.per_second), (before.p50_ms, after.p50_ms), (before.p99_ms, after.p99_ms)]
    return [*place, f"{before.per_second:,.0f} → {after.per_second:,.0f}", *(ratio(*pair) for pair in rates), *costs]


def compared(first: Sequence[Line], second: Sequence[Line], *but: str) -> Table:
    """One row for each line that both have under the same load, `but` for what may differ, such as `nodes`."""
    later = {line.key(*but): line for line in second}
    pairs = [(line, later[line.key(*but)]) for line in first if line.key(*but) in later]
    processes = [*dict.fromkeys(name for pair in pairs for line in pair for name in line.cpu_us if name != GENERATOR)]
    ratios = ("throughput", "p50", "p99", *(f"{name} µs" for name in processes))
    heads = ("nodes", "players", "conns", "per second", *ratios)
    table = Table("door", *(Column(head, justify="right") for head in heads))
    for before, after in pairs:
        table.add_row(*row(before, after, processes))
    return table


def growths(lines: Sequence[Line]) -> Iterator[Table]:
    """What more players, and more nodes, do to the figures of a run: its last number of them against its first."""
    for what in ("players", "nodes", "ledger"):
        numbers = [*dict.fromkeys(getattr(line, what) for line in lines)]
        if len(numbers) > 1:
            first, last = ([line for line in lines if getattr(line, what) == end] for end in (numbers[0], numbers[-1]))
            table = compared(first, last, what)
            name = "rows in the ledger" if what == "ledger" else what
            table.title = f"{numbers[-1]:,} {name} against {numbers[0]:,}"
            yield table


def main(first: str, second: str) -> None:
    Console(width=150).print(compared(read(Path(first)), read(Path(second))))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
