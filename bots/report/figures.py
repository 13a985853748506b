"""The figures of a load, of idle sockets and of misbehaving clients, as tables and sentences."""

from collections.abc import Mapping

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Column, Table

from bots.load.idle import IdleSockets
from bots.load.measure import LoadResult
from bots.mischief.misbehave import Incident


def show_bench(console: Console, results: list[LoadResult]) -> None:
    """Print the figures of a load."""
    table = Table(
        Column("mode", min_width=len("read-socket")),
        "refused",
        "errors",
        title="successful answers, closed loop",
        caption="CPU: the share of one core that this client used",
    )
    for column in ("per s", "p50 ms", "p99 ms", "max ms", "CPU"):
        table.add_column(column, justify="right")
    for result in results:
        faults = (listed(result.refused), listed(result.errors))
        seconds = (result.latencies.at(50), result.latencies.at(99), result.latencies.longest())
        times = (f"{value * 1000:,.2f}" for value in seconds)
        table.add_row(result.mode, *faults, f"{result.per_second:,.0f}", *times, f"{result.client_cpu:.0%}")
    console.print(table)


def show_idle(console: Console, state: IdleSockets) -> None:
    """Print how many sockets stayed open."""
    console.print(f"{state.up:,} of {state.wanted:,} sockets stayed open; ended: {listed(state.ended)}")


def show_incident(console: Console, incident: Incident) -> None:
    """Print one kind of mischief, what the server did to it, and how the honest player did."""
    verdict = "[green]noticed nothing[/]" if incident.harmless else "[red]was disturbed[/]"
    alone = "" if incident.alone is None else f"; alone {incident.alone.p99_ms:,.1f} ms and {incident.alone.rate:g}/s"
    pace = f"p99 {incident.honest_p99_ms:,.1f} ms, {incident.honest_rate:g} actions/s{alone}"
    console.print(f"[bold]{incident.kind}[/]", highlight=False)
    lines = [
        f"sockets ended: {listed(incident.ended)}",
        f"answers: {listed(incident.heard)}",
        f"the honest player {verdict}: {incident.honest_actions:,} actions, {pace}",
        f"its errors: {listed(incident.honest_errors)}",
        *(f"[red]{escape(problem)}[/]" for problem in incident.honest_problems),
    ]
    console.print(Padding("\n".join(lines), (0, 0, 0, 2)), highlight=False)


def listed(counts: Mapping[str, int]) -> str:
    """Return counts as one line of text."""
    return ", ".join(f"{name} {count:,}" for name, count in counts.items()) or "none"
