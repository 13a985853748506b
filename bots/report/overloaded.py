"""The report of an overload: a few lines for each door, and what broke the promise, in the order of time."""

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding

from bots.overload.memory import MIB, NodeMemory
from bots.overload.questions import Treatment
from bots.overload.verdict import DoorVerdict, OverloadResult
from bots.report.figures import listed

RATES = (
    ("capacity", "capacity"), ("wanted", "wanted"), ("reached", "reached"), ("answered well", "answered_per_second"),
)  # fmt: skip


def as_json(result: OverloadResult) -> dict[str, Any]:
    """Return the whole report as JSON values."""
    return {
        "ok": result.ok,
        "void": result.void,
        "seed": result.seed,
        "doors": [_door(verdict) for verdict in result.doors],
        "memory": [
            {"url": node.url, "before": node.before, "peak": node.peak, "after": node.after, "bounded": node.is_bounded}
            for node in result.memory
        ],
        "state": {"acts": result.acts, "sign_ups": result.sign_ups, "faults": result.state_faults},
    }


def _door(verdict: DoorVerdict) -> dict[str, Any]:
    tally = verdict.tally
    return {
        "door": verdict.door,
        "void": verdict.void,
        "capacity": round(verdict.capacity, 1),
        "wanted": round(verdict.wanted, 1),
        "reached": round(verdict.reached, 1),
        "answered_per_second": round(verdict.answered, 1),
        "planned": tally.planned,
        "sent": tally.sent,
        "late": tally.late,
        "unsent": tally.unsent,
        "held_back": tally.held_back,
        "treatments": {treatment.value: tally.treatments[treatment] for treatment in Treatment},
        "codes": dict(tally.codes),
        "own_lag_ms": round(tally.own_lag * 1000, 1),
        "answered": _latencies(verdict, good=True),
        "turned_away": _latencies(verdict, good=False),
        "recovered_seconds": None if verdict.recovered is None else round(verdict.recovered, 2),
        "faults": verdict.faults(),
    }


def _latencies(verdict: DoorVerdict, *, good: bool) -> dict[str, float]:
    figures = {}
    for name, from_planned in (("from_planned", True), ("service", False)):
        latencies = verdict.tally.latencies(good=good, from_planned=from_planned)
        for percentile in (50, 99):
            figures[f"{name}_p{percentile}_ms"] = round(latencies.at(percentile) * 1000, 1)
        figures[f"{name}_max_ms"] = round(latencies.longest() * 1000, 1)
    return figures


def show_door(console: Console, verdict: DoorVerdict) -> None:
    """Print one door's figures."""
    row = _door(verdict)
    faults = verdict.faults()
    state = "[red]FAILED[/]" if faults else "[yellow]VOID[/]" if verdict.void else "[green]held[/]"
    console.print(f"[bold]{verdict.door}[/]: {state}", highlight=False)
    rates = (f"{name} {row[key]:,.0f}/s" for name, key in RATES)
    lines = [
        ", ".join(rates),
        f"{listed(row['treatments'])}; {listed(row['codes'])}",
        f"unsent {row['unsent']:,}, sent late {row['late']:,}, all connections waiting {row['held_back']:,}",
        f"this client was away for up to {row['own_lag_ms']:,.0f} ms",
        *(_times(name, row[key]) for name, key in (("answered", "answered"), ("turned away", "turned_away"))),
        f"as before after {row['recovered_seconds']} s",
        *(f"[red]{escape(fault)}[/]" for fault in faults),
    ]
    console.print(Padding("\n".join(lines), (0, 0, 0, 2)), highlight=False)


def _times(name: str, times: dict[str, float]) -> str:
    service = " / ".join(f"{times[f'service_{part}_ms']:,.0f}" for part in ("p50", "p99", "max"))
    planned = " / ".join(f"{times[f'from_planned_{part}_ms']:,.0f}" for part in ("p50", "p99", "max"))
    return f"{name}, p50 / p99 / max ms: service {service}; from the planned moment {planned}"


def show(console: Console, result: OverloadResult) -> None:
    """Print the memory, the state and the verdict."""
    for node in result.memory:
        console.print(_memory(node), highlight=False)
    for fault in result.state_faults:
        console.print(f"[red]{escape(fault)}[/]", highlight=False)
    console.print(f"in the state: {result.acts:,} acts, {result.sign_ups:,} sign-ups that were tried", highlight=False)
    verdict = "[red]FAILED[/]" if not result.ok else "[yellow]NOT PROVED[/]" if result.void else "[green]PROVED[/]"
    console.print(f"[bold]{verdict}[/] (seed {result.seed})", highlight=False)


def _memory(node: NodeMemory) -> str:
    before, peak, after = (round(value / MIB) for value in (node.before, node.peak, node.after))
    color = "green" if node.is_bounded else "red"
    return f"[{color}]{node.url}: {before} MiB before, {peak} at most, {after} after[/]"
