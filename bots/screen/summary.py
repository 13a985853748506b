"""The end of a run on the terminal: planned and service times side by side, the objectives, the generator."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bots.count.document import RunDocument
from bots.count.operations import OperationCounts
from bots.count.slo import ObjectiveVerdict
from bots.screen.cells import LATENCY_HEADINGS, WHY_THEY_DIFFER, latency_cell

HEADINGS = ("answers", "/s", *LATENCY_HEADINGS, "refused", "unsent", "late")


def show(console: Console, document: RunDocument, objectives: Sequence[ObjectiveVerdict]) -> None:
    """Print what was measured after the warm-up."""
    totals, seconds = document.totals(), document.measured_seconds()
    table = Table(
        title=f"measured over {seconds:,.1f} s", box=None, header_style="dim", padding=(0, 1, 0, 0), pad_edge=False
    )
    table.add_column("operation")
    for heading in HEADINGS:
        table.add_column(heading, justify="right")
    for name, counts in sorted(totals.operations.items(), key=lambda item: -item[1].planned.count):
        _add(table, name, counts, seconds)
    if len(totals.operations) > 1:
        table.add_section()
        _add(table, "all", totals.all(), seconds)
    console.print(table)
    console.print(Text(WHY_THEY_DIFFER, style="dim"))
    for verdict in objectives:
        console.print(Text(verdict.sentence(), style="green" if verdict.kept else "bold red"))
    _show_generator(console, document)


def _add(table: Table, name: str, counts: OperationCounts, seconds: float) -> None:
    answers = counts.planned.count
    times = (latency_cell(counts.planned), latency_cell(counts.service))
    rest = (f"{value:,}" for value in (counts.refused.total(), counts.unsent, counts.late))
    table.add_row(name, f"{answers:,}", f"{answers / seconds:,.1f}", *times, *rest)


def _show_generator(console: Console, document: RunDocument) -> None:
    rows = [row for row in document.generator if row.at >= document.setup.warm_up_seconds]
    if rows:
        late, lag = (max(spread.p99 for spread in spreads) / 1000 for spreads in (
            [row.lateness_us for row in rows], [row.loop_lag_us for row in rows],
        ))  # fmt: skip
        cpu, generators = sum(row.cpu for row in rows) / len(rows), len({row.process for row in rows})
        console.print(
            f"generator: {generators} at {cpu:.0%} of a core each; worst second: lateness p99 {late:,.1f} ms, "
            f"loop lag p99 {lag:,.1f} ms",
            highlight=False,
        )
    if document.void:
        console.print(Text(f"VOID: {document.void}", style="bold yellow"))
