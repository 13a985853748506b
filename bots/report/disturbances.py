"""The report on what players noticed of nodes that come and go: interruptions, connections, actions that were hurt."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console

from bots.count.series import Tenth
from bots.count.tally import Tally
from bots.report.figures import listed

BAR = 40


def as_json(tally: Tally) -> dict[str, Any]:
    """Return this part of the report; interruptions by cause in seconds, connections in tenths of a second.

    A connection row is [seconds since the start, attempts, successes]; `first` are sockets of those who had none.
    """
    return {
        "saw_no_error": tally.errors_seen() == 0,
        "interruptions": {cause: _spread(histogram) for cause, histogram in tally.interruptions.items()},
        "going_away_heeded": tally.happened["going_away heeded"],
        "actions_hurt": dict(tally.hurt),
        "connections": {
            "first": _rows(tally.first.all()),
            "again": _rows(tally.again.all()),
            "around_worst": _rows(tally.again.around_worst()) if tally.again.attempts() else [],
        },
    }


def _rows(tenths: Sequence[Tenth]) -> list[list[float]]:
    return [[*each] for each in tenths]


def _spread(histogram: Any) -> dict[str, float]:
    """Sum up a histogram of microseconds."""
    return {
        "count": histogram.get_total_count(),
        "p99_seconds": histogram.get_value_at_percentile(99) / 1e6,
        "max_seconds": histogram.get_max_value() / 1e6,
    }


def show(console: Console, report: dict[str, Any]) -> None:
    """Print this part of the report."""
    for cause, row in report["interruptions"].items():
        console.print(
            f"interruptions ({cause}): {row['count']:,}; without an acknowledged action for at most "
            f"{row['max_seconds']:.2f} s, p99 {row['p99_seconds']:.2f} s"
        )
    console.print(f"going_away heeded: {report['going_away_heeded']:,}; actions hurt: {listed(report['actions_hurt'])}")
    if report["connections"]["around_worst"]:
        console.print("reconnections around the worst second, each 0.1 s (attempts, successes):")
        for line in bars([Tenth(*row) for row in report["connections"]["around_worst"]]):
            console.print(line, highlight=False)


def bars(tenths: Sequence[Tenth]) -> list[str]:
    """Draw a line for each tenth: the successes as a full bar, the attempts beyond them as a light one."""
    most = max((max(each.attempts, each.successes) for each in tenths), default=0) or 1
    return [_bar(each, BAR / most) for each in tenths]


def _bar(tenth: Tenth, scale: float) -> str:
    full = round(tenth.successes * scale)
    light = max(0, round(tenth.attempts * scale) - full)
    return f"{tenth.at:7.1f} s {'█' * full}{'░' * light} {tenth.attempts}, {tenth.successes}"
