"""The report on the invariants: a table of the verdicts, the stories of violations, and what was never seen."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bots.count.document import HELD, NOT_CHECKED, VIOLATED, InvariantVerdict, Sighting

STYLES = {HELD: "green", VIOLATED: "bold red", NOT_CHECKED: "yellow"}


def show(console: Console, verdicts: Sequence[InvariantVerdict], sightings: Sequence[Sighting]) -> None:
    """Print them."""
    table = Table("invariant", "verdict")
    table.add_column("checked", justify="right")
    for verdict in verdicts:
        table.add_row(verdict.invariant, Text(verdict.verdict, style=STYLES[verdict.verdict]), f"{verdict.checked:,}")
    console.print(table)
    for verdict in verdicts:
        if verdict.story:
            console.print(Text(f"{verdict.invariant}:", style="bold red"))
            for line in verdict.story:
                console.print(Text(f"  {line}", style="red"))
    if unseen := [sighting.name for sighting in sightings if not sighting.seen]:
        console.print(f"never seen: {', '.join(unseen)}", style="yellow", highlight=False)
    for sighting in sightings:
        if sighting.expected and not sighting.seen:
            console.print(Text(f"expected, and never seen: {sighting.name}", style="bold red"))
