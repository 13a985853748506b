"""The report of a run: as a table for people, as JSON for programs."""

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bots.count.tally import Tally
from bots.play.swarm import Swarm
from bots.proof import spread
from bots.proof.outcome import Outcome
from bots.proof.verdict import Verdict
from bots.report import disturbances
from bots.report.figures import listed

NAMED = 10


def as_json(outcome: Outcome) -> dict[str, Any]:
    """Return the whole report as JSON-able values; times in seconds unless the name says otherwise."""
    swarm, tally = outcome.swarm, outcome.swarm.tally
    played = sum(count for name, count in tally.acknowledged.items() if name != "sign_up")
    return {
        "ok": outcome.ok,
        "players": swarm.plan.players,
        "signed_up": len(swarm.signed_up),
        "seconds": round(swarm.played, 3),
        "acknowledged": played,
        "per_second": round(tally.in_time / swarm.played, 1) if swarm.played else 0.0,
        "actions": {name: _latency(swarm, name) for name in sorted(tally.latencies)},
        "refused": dict(tally.refused),
        "errors": dict(tally.errors),
        "happened": dict(tally.happened),
        "unsent": tally.unsent,
        "longest_gap_seconds": round(tally.longest_gap, 3),
        **disturbances.as_json(tally),
        "databases": spread.as_json(outcome.spread),
        "proof": proof_as_json(outcome),
    }


def _latency(swarm: Swarm, name: str) -> dict[str, float]:
    histogram = swarm.tally.latencies[name]
    made = {f"p{each}_ms": histogram.get_value_at_percentile(each) / 1000 for each in (50, 95, 99)}
    count = histogram.get_total_count()
    rate = round(count / swarm.played, 1) if swarm.played and name != "sign_up" else 0.0
    return {"count": count, "per_second": rate, **made, "max_ms": histogram.get_max_value() / 1000}


def proof_as_json(outcome: Outcome) -> dict[str, Any]:
    """Return the proof's part of the report."""
    verdicts = outcome.verdicts
    return {
        "failure": outcome.failure,
        "bots": len(verdicts),
        "acknowledged": sum(verdict.acknowledged for verdict in verdicts),
        "lost": sum(len(verdict.lost) for verdict in verdicts),
        "doubled": sum(len(verdict.doubled) for verdict in verdicts),
        "unexplained": sum(len(verdict.unexplained) for verdict in verdicts),
        "pushes": sum(len(verdict.pushes) for verdict in verdicts),
        "unknown_fate": {
            "landed": sum(verdict.landed for verdict in verdicts),
            "absent": sum(verdict.absent for verdict in verdicts),
        },
        "mail": {"sent": outcome.mail.sent, "arrived": outcome.mail.arrived, "returned": outcome.mail.returned},
        "faults": _faults(verdicts),
        "boards_proved": outcome.boards is not None and not any(board.differences for board in outcome.boards),
        "boards": [
            {
                "board": board.board,
                "entries": board.entries,
                "seconds": round(board.seconds, 3),
                "differences": board.differences,
            }
            for board in outcome.boards or ()
        ],
    }


def _faults(verdicts: list[Verdict]) -> list[str]:
    return [
        f"{kind}: {sentence}"
        for verdict in verdicts
        for kind, sentences in (
            ("lost", verdict.lost),
            ("doubled", verdict.doubled),
            ("unexplained", verdict.unexplained),
            ("pushes", verdict.pushes),
        )
        for sentence in sentences
    ][: 10 * NAMED]


def show(console: Console, outcome: Outcome) -> None:
    """Print the report."""
    report = as_json(outcome)
    console.print(_actions_table(report))
    console.print(
        f"{report['acknowledged']:,} actions acknowledged in {report['seconds']:.1f} s: "
        f"[bold]{report['per_second']:,.0f} actions/s[/]; "
        f"longest time without one {report['longest_gap_seconds']:.2f} s"
    )
    _show_counts(console, outcome.swarm.tally)
    disturbances.show(console, report)
    spread.show(console, outcome.spread)
    _show_players(console, report["proof"], outcome)
    _show_boards(console, outcome)
    proved = "PROVED" if outcome.boards is not None else "PLAYERS PROVED, BOARDS NOT PROVED"
    console.print(Text(proved, style="bold green") if outcome.ok else Text("FAILED", style="bold red"))


def _actions_table(report: dict[str, Any]) -> Table:
    table = Table("action", title=f"{report['signed_up']} of {report['players']} players")
    for column in ("count", "per second", "p50 ms", "p95 ms", "p99 ms", "max ms"):
        table.add_column(column, justify="right")
    for name, row in report["actions"].items():
        times = (row["p50_ms"], row["p95_ms"], row["p99_ms"], row["max_ms"])
        table.add_row(name, f"{row['count']:,}", f"{row['per_second']:,.1f}", *(f"{each:,.1f}" for each in times))
    return table


def _show_counts(console: Console, tally: Tally) -> None:
    for title, counts in (
        ("refused by a rule", tally.refused),
        ("errors, each retried or final", tally.errors),
        ("happened", tally.happened),
    ):
        console.print(f"{title}: {listed(dict(counts.most_common()))}")
    if tally.unsent:
        console.print(f"[yellow]{tally.unsent:,} actions were planned and not begun before the play ended[/]")


def _show_players(console: Console, proof: dict[str, Any], outcome: Outcome) -> None:
    if outcome.failure:
        console.print(Text(f"NOT PROVED: {outcome.failure}", style="bold red"))
    console.print(
        f"players: {proof['bots']} bots, {proof['acknowledged']:,} acknowledged commands; "
        f"lost {proof['lost']}, doubled {proof['doubled']}, unexplained {proof['unexplained']}, "
        f"pushes out of order {proof['pushes']}; "
        f"of unknown fate {proof['unknown_fate']['landed']} landed, {proof['unknown_fate']['absent']} did not"
    )
    mail = proof["mail"]
    console.print(f"mail: {mail['sent']:,} letters; {mail['arrived']:,} arrived, {mail['returned']:,} came back")
    for fault in proof["faults"][:NAMED]:
        console.print(Text(f"  {fault}", style="red"))


def _show_boards(console: Console, outcome: Outcome) -> None:
    if outcome.boards is None:
        why = "" if outcome.failure else ": that takes an admin key (--admin-key-file)"
        console.print(Text(f"boards: NOT PROVED{why}", style="bold yellow"))
    for board in outcome.boards or ():
        verdict = "[red]differs from the database[/]" if board.differences else "equals the database"
        console.print(f"board {board.board}: {board.entries:,} entries, {verdict}, after {board.seconds:.2f} s")
        for difference in board.differences:
            console.print(Text(f"  {difference}", style="red"))
