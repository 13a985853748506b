"""Draws the screen: operations, errors, nodes and databases, and the generator's health."""

from collections import Counter
from collections.abc import Sequence

from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from bots.count.operations import OperationCounts
from bots.screen.cells import LATENCY_HEADINGS, WHY_THEY_DIFFER, latency_cell
from bots.screen.view import View

BARS = " ▁▂▃▄▅▆▇█"
MOST_ROWS, FEWEST_ROWS, MOST_SHARES = 30, 3, 12
FRAME_LINES = 5
"""The border, the headings of operations, and the line that says how many more there are."""


def draw(view: View, console: Console) -> RenderableType:
    """Return the whole screen, with as many operations as leave room for all else."""
    shares = [
        _shares(title, counts)
        for title, counts in (("answers/s by node", view.last.nodes), ("answers/s by database", view.last.databases))
        if counts
    ]
    below = Group(
        Text(WHY_THEY_DIFFER, style="dim"),
        Columns([_errors(view), *shares, _generator(view)], padding=(0, 2)),
        *(Text(note, style="yellow") for note in view.notes),
    )
    head = _head(view)
    others = console.render_lines(Group(head, below), console.options.update_width(console.width - 4), pad=False)
    rows = min(MOST_ROWS, max(FEWEST_ROWS, console.height - len(others) - FRAME_LINES))
    whole = Group(head, _operations(view, rows), below)
    return Panel(whole, title=view.title, subtitle="Ctrl-C: end the play and prove", border_style="dim")


def _head(view: View) -> RenderableType:
    together = view.last.all()
    line = Text.assemble(
        (view.phase, "bold"),
        f"  {min(view.elapsed, view.seconds):,.0f} of {view.seconds:,.0f} s  {view.players:,} players, ",
        f"{sum(second.connected for second in view.generators):,} connected  ",
        (f"{together.planned.count:,} answers/s", "bold cyan"),
    )
    if view.elapsed < view.warm_up:
        line.append("  warm-up: not counted", style="yellow")
    rates = Text.assemble("rate ", (sparks(view.rates), "cyan"), f" at most {max(view.rates, default=0):,}/s")
    p99s = Text.assemble(
        "p99  ", (sparks(view.p99s), "magenta"), f" at most {max(view.p99s, default=0) * 1000:,.1f} ms"
    )
    return Group(line, rates, p99s)


def _operations(view: View, most: int) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column("operation")
    for heading in ("/s", *LATENCY_HEADINGS, "refused", "errors", "late"):
        table.add_column(heading, justify="right")
    rows = sorted(view.totals.operations.items(), key=lambda item: -item[1].planned.count)
    for name, total in rows[:most]:
        _add_row(table, name, view.last.operations.get(name, OperationCounts()), total)
    if len(rows) > most:
        table.add_row(f"and {len(rows) - most} more", style="dim")
    return table


def _add_row(table: Table, name: str, last: OperationCounts, total: OperationCounts) -> None:
    errors = total.errors.total()
    table.add_row(
        name,
        f"{last.planned.count:,}",
        latency_cell(total.planned),
        latency_cell(total.service),
        f"{total.refused.total():,}",
        f"[red]{errors:,}[/]" if errors else "0",
        f"{total.late:,}" + (f" +{total.unsent:,} unsent" if total.unsent else ""),
    )


def _shares(title: str, counts: Counter[str]) -> Table:
    table = Table(title, "", box=None, pad_edge=False, header_style="dim")
    for name, count in counts.most_common(MOST_SHARES):
        table.add_row(name.removeprefix("http://").removeprefix("https://"), f"{count:,}")
    return table


def _errors(view: View) -> Table:
    together = view.totals.all()
    table = Table("errors by code", "", box=None, pad_edge=False, header_style="dim")
    for code, count in together.errors.most_common(6):
        table.add_row(Text(code, style="red"), f"{count:,}")
    if not together.errors:
        table.add_row(Text("none", style="green"), "")
    return table


def _generator(view: View) -> Table:
    table = Table("generator", "late p99", "loop p99", "cpu", box=None, pad_edge=False, header_style="dim")
    for second in view.generators[:6]:
        late, lag = (spread.p99 / 1000 for spread in (second.lateness_us, second.loop_lag_us))
        style = "red" if late > 50 else "yellow" if second.cpu > 0.9 else ""
        table.add_row(str(second.process), f"{late:,.1f} ms", f"{lag:,.1f} ms", f"{second.cpu:.0%}", style=style)
    return table


def sparks(values: Sequence[float]) -> str:
    """Draw values as a line of bars, the highest at full height."""
    highest = max(values, default=0)
    if not highest:
        return BARS[0] * len(values)
    return "".join(BARS[max(1, round(value / highest * (len(BARS) - 1)))] if value else BARS[0] for value in values)
