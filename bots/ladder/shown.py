"""What a person at the terminal sees of the ladder."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from bots.ladder.measures import RungFigures
from bots.ladder.picture import kill_of
from bots.report.html.charts import shown

HEADS = ("answers/s", "p99 ms", "node killed", "database killed", "lost", "ranking", "names")


def show(console: Console, figures: Sequence[RungFigures]) -> None:
    """Print a row for each rung."""
    table = Table(title="the ladder", box=None)
    table.add_column("step", min_width=24)
    for head in HEADS:
        table.add_column(head, justify="right")
    for each in figures:
        table.add_row(*_row(each))
    console.print(table)
    for each in figures:
        if each.skipped:
            console.print(f"[yellow]{each.rung.title}: not run, {each.skipped}[/]", highlight=False)


def _row(each: RungFigures) -> list[str]:
    if each.skipped:
        return [each.rung.title, *[""] * len(HEADS)]
    waits = [kill_of(each, kind) for kind in ("node", "database")]
    verdicts = (each.lost, each.ranking, each.names)
    times = ["–" if kill is None else f"{kill.longest_wait:.1f} s" for kill in waits]
    return [each.rung.title, shown(each.per_second), shown(each.p99), *times, *(verdict or "–" for verdict in verdicts)]
