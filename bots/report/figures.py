"""The figures of a load and of idle sockets, as tables for people."""

from collections.abc import Mapping

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bots.load.idle import Idle
from bots.load.measure import Result
from bots.mischief.misbehave import Incident


def show_bench(console: Console, results: list[Result]) -> None:
    """Print the figures of a load."""
    table = Table("mode", "refused", "errors", title="acknowledged answers, closed loop")
    for column in ("per second", "p50 ms", "p99 ms", "max ms", "client CPU"):
        table.add_column(column, justify="right")
    for each in results:
        faults = (listed(each.refused), listed(each.errors))
        times = (f"{value:,.2f}" for value in (each.p50_ms, each.p99_ms, each.max_ms))
        table.add_row(each.mode, *faults, f"{each.per_second:,.0f}", *times, f"{each.client_cpu:.0%}")
    console.print(table)


def show_idle(console: Console, state: Idle) -> None:
    """Print how many sockets stayed up."""
    console.print(f"{state.up:,} of {state.wanted:,} sockets stayed up; ended: {listed(state.ended)}")


def show_incident(console: Console, incident: Incident) -> None:
    """Print one kind of mischief and what came of it."""
    fared = "[green]noticed nothing[/]" if incident.harmless else "[red]was disturbed[/]"
    console.print(
        f"[bold]{incident.kind}[/]: ended: {listed(incident.ended)}; heard: {listed(incident.heard)}\n"
        f"  the honest player {fared}: {incident.honest_actions:,} actions, p99 {incident.honest_p99_ms:,.1f} ms, "
        f"errors {listed(incident.honest_errors)}",
        highlight=False,
    )
    for problem in incident.honest_problems:
        console.print(Text(f"  {problem}", style="red"))


def listed(counts: Mapping[str, int]) -> str:
    """Name counts in one line."""
    return ", ".join(f"{name} {count:,}" for name, count in counts.items()) or "none"
