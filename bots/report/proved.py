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
    _show_unseen(console, [sighting for sighting in sightings if not sighting.seen])


def _show_unseen(console: Console, unseen: Sequence[Sighting]) -> None:
    if names := [sighting.name for sighting in unseen if not sighting.planned]:
        console.print(f"never seen: {', '.join(names)}", style="yellow", highlight=False)
    for sighting in unseen:
        if sighting.expected:
            console.print(Text(f"expected, and never seen: {sighting.name}", style="bold red"))
        elif sighting.planned:
            console.print(Text(f"planned, and never carried out: {sighting.name}", style="yellow"))
