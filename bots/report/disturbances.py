"""The report on what players noticed of failing nodes: interruptions, reconnections, actions that met an error."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console

from bots.count.latencies import Latencies
from bots.count.series import Tenth
from bots.count.tally import Tally
from bots.report.figures import listed
from bots.wire.interruptions import LOST, SENT_AWAY

BAR = 40
CAUSES = {LOST: "connection lost", SENT_AWAY: "node stopped"}


def as_json(tally: Tally) -> dict[str, Any]:
    """Return this part of the report; interruptions by cause in seconds, connections in tenths of a second.

    A connection row is [seconds since the start, attempts, successes]; `first` are a player's first sockets.
    """
    return {
        "saw_no_error": tally.errors_seen() == 0,
        "interruptions": {cause: _lengths(lengths) for cause, lengths in tally.interruptions.items()},
        "going_away_heeded": tally.happened["going_away heeded"],
        "actions_hurt": dict(tally.hurt),
        "connections": {
            "first": _rows(tally.first.all()),
            "again": _rows(tally.again.all()),
            "around_worst": _rows(tally.again.around_worst()) if tally.again.attempts() else [],
        },
    }


def _rows(tenths: Sequence[Tenth]) -> list[list[float]]:
    return [[*tenth] for tenth in tenths]


def _lengths(interruptions: Latencies) -> dict[str, float]:
    return {
        "count": interruptions.count,
        "p99_seconds": interruptions.at(99),
        "max_seconds": interruptions.longest(),
    }


def show(console: Console, report: dict[str, Any]) -> None:
    """Print this part of the report."""
    for cause, row in report["interruptions"].items():
        console.print(
            f"interruptions ({CAUSES.get(cause, cause)}): {row['count']:,}; without an acknowledged action\n"
            f"  for at most {row['max_seconds']:.2f} s, p99 {row['p99_seconds']:.2f} s"
        )
    console.print(f"sockets moved before their node stopped: {report['going_away_heeded']:,}")
    console.print(f"actions that met an error: {listed(report['actions_hurt'])}")
    if report["connections"]["around_worst"]:
        console.print("reconnections around the worst second, by 0.1 s (attempts, successes):")
        for line in bars([Tenth(*row) for row in report["connections"]["around_worst"]]):
            console.print(line, highlight=False)


def bars(tenths: Sequence[Tenth]) -> list[str]:
    """Draw a line for each tenth: the successes as a full bar, the other attempts as a light one."""
    most = max((max(tenth.attempts, tenth.successes) for tenth in tenths), default=0) or 1
    return [_bar(tenth, BAR / most) for tenth in tenths]


def _bar(tenth: Tenth, scale: float) -> str:
    full = round(tenth.successes * scale)
    light = max(0, round(tenth.attempts * scale) - full)
    return f"{tenth.at:7.1f} s {'█' * full}{'░' * light} {tenth.attempts}, {tenth.successes}"
