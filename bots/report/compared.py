"""What a person at the terminal sees of a comparison."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bots.report.comparison import ComparedFigure, RunComparison

COLORS = {"better": "green", "worse": "red", "same": ""}


def show(console: Console, comparison: RunComparison) -> None:
    """Print every figure, then what differs beyond noise, then what a reader must know."""
    table = Table("figure", title=f"{comparison.repeats[0]} runs against {comparison.repeats[1]}")
    for column in ("first", "second", "ratio or difference", f"{comparison.confidence:.0%} interval"):
        table.add_column(column, justify="right")
    table.add_column("")
    for figure in comparison.figures:
        table.add_row(*_row(figure))
    console.print(table)
    console.print(_sentence(comparison), highlight=False)
    for remark in comparison.remarks:
        console.print(Text(remark, style="yellow"))


def _row(figure: ComparedFigure) -> list[Text | str]:
    value, low, high = figure.change
    sign = "" if figure.difference is None else "+"
    interval, ratio = f"{low:{sign}.3f} to {high:{sign}.3f}", f"{value:{sign}.3f}"
    values = (f"{value:,.4g} {figure.unit}".rstrip() for value in (figure.before, figure.after))
    return [figure.name, *values, ratio, interval, Text(figure.verdict, style=COLORS[figure.verdict])]


def _sentence(comparison: RunComparison) -> str:
    found = {
        verdict: [figure.name for figure in comparison.figures if figure.verdict == verdict]
        for verdict in ("better", "worse")
    }
    said = [f"{verdict}: {', '.join(names)}" for verdict, names in found.items() if names]
    chance = (1 - comparison.confidence) * len(comparison.figures)
    by_chance = f" (of {len(comparison.figures)} figures about {chance:.1f} differ by chance)"
    return f"Beyond noise the second is {'; '.join(said)}{by_chance}." if said else "Nothing differs beyond noise."
