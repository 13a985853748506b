"""The figures of a load and of idle sockets, as tables for people."""

from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

from bots.idle import Idle
from bots.measure import Result


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


def listed(counts: Mapping[str, int]) -> str:
    """Name counts in one line."""
    return ", ".join(f"{name} {count:,}" for name, count in counts.items()) or "none"
