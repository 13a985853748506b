"""The report of a run: tables and sentences for people, JSON for programs."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from bots.count.document import Sighting
from bots.count.tally import Tally
from bots.play.swarm import Swarm
from bots.proof.boards import BoardVerdict
from bots.proof.players import BANNED, DELETED, PlayerVerdict
from bots.proof.result import RunResult
from bots.report import disturbances, proved, spread
from bots.report.figures import listed

NAMED = 10
"""How many faults are printed."""


def as_json(result: RunResult) -> dict[str, Any]:
    """Return the report as JSON values; times are in seconds unless the name says otherwise.

    `bots run` writes them beside the document of the run, which has `seconds` and `proof` of its own.
    """
    swarm, tally = result.swarm, result.swarm.tally
    acknowledged = sum(count for name, count in tally.acknowledged.items() if name != "sign_up")
    return {
        "ok": result.ok,
        "players": swarm.plan.players,
        "signed_up": len(swarm.signed_up),
        "acknowledged": acknowledged,
        "per_second": round(tally.acknowledged_in_time / swarm.played, 1) if swarm.played else 0.0,
        "actions": {name: _action(swarm, name) for name in sorted(tally.latencies)},
        "refused": dict(tally.refused),
        "errors": dict(tally.errors),
        "happened": dict(tally.happened),
        "unsent": tally.unsent,
        "errors_seen": tally.errors_seen(),
        "longest_gap_seconds": round(tally.longest_gap, 3),
        **disturbances.as_json(tally),
        "databases": spread.as_json(result.spread),
        "summary": {"seconds": round(swarm.played, 3), "proof": proof_as_json(result)},
    }


def _action(swarm: Swarm, name: str) -> dict[str, float]:
    latencies = swarm.tally.latencies[name]
    rate = round(latencies.count / swarm.played, 1) if swarm.played and name != "sign_up" else 0.0
    return {
        "count": latencies.count,
        "per_second": rate,
        **{f"p{percentile}_ms": round(latencies.at(percentile) * 1000, 3) for percentile in (50, 95, 99)},
        "max_ms": round(latencies.longest() * 1000, 3),
    }


def proof_as_json(result: RunResult) -> dict[str, Any]:
    """Return the proof's part of the report."""
    verdicts = result.verdicts
    return {
        "failure": result.failure,
        "bots": len(verdicts),
        **{gone: sum(verdict.gone == gone for verdict in verdicts) for gone in (BANNED, DELETED)},
        "acknowledged": sum(verdict.acknowledged for verdict in verdicts),
        "lost": sum(len(verdict.lost) for verdict in verdicts),
        "doubled": sum(len(verdict.doubled) for verdict in verdicts),
        "unexplained": sum(len(verdict.unexplained) for verdict in verdicts),
        "pushes": sum(len(verdict.pushes) for verdict in verdicts),
        "unknown_fate": {
            "landed": sum(verdict.landed for verdict in verdicts),
            "absent": sum(verdict.absent for verdict in verdicts),
        },
        "mail": {"sent": result.mail.sent, "arrived": result.mail.arrived, "returned": result.mail.returned},
        "faults": _faults(verdicts),
        "boards_proved": result.boards is not None and not any(board.differences for board in result.boards),
        "boards": [_board(board) for board in result.boards or ()],
    }


def _board(verdict: BoardVerdict) -> dict[str, Any]:
    return {
        "board": verdict.board,
        "entries": verdict.entries,
        "seconds": round(verdict.seconds, 3),
        "differences": verdict.differences,
    }


def _faults(verdicts: list[PlayerVerdict]) -> list[str]:
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


def show(console: Console, result: RunResult, sightings: Sequence[Sighting]) -> None:
    """Print the report; `sightings` are what the run should have seen, its plan of faults included."""
    report = as_json(result)
    console.print(
        f"{report['acknowledged']:,} actions acknowledged in {report['summary']['seconds']:.1f} s: "
        f"[bold]{report['per_second']:,.0f} actions/s[/]; longest gap {report['longest_gap_seconds']:.2f} s"
    )
    _show_counts(console, result.swarm.tally)
    disturbances.show(console, report)
    spread.show(console, result.spread)
    _show_players(console, report["summary"]["proof"], result)
    _show_boards(console, result)
    proved.show(console, result.invariants(), sightings)
    proved_what = "PROVED" if result.boards is not None else "PLAYERS PROVED, BOARDS NOT PROVED"
    console.print(Text(proved_what, style="bold green") if result.ok else Text("FAILED", style="bold red"))


def _show_counts(console: Console, tally: Tally) -> None:
    for title, counts in (
        ("refused by a rule", tally.refused),
        ("errors, retried or final", tally.errors),
        ("events", tally.happened),
    ):
        console.print(f"{title}: {listed(dict(counts.most_common()))}")
    if tally.unsent:
        console.print(f"[yellow]{tally.unsent:,} planned actions were not sent before the play ended[/]")


def _show_players(console: Console, proof: dict[str, Any], result: RunResult) -> None:
    if result.failure:
        console.print(Text(f"NOT PROVED: {result.failure}", style="bold red"))
    fates, mail = proof["unknown_fate"], proof["mail"]
    console.print(
        f"players: {proof['bots']:,} bots, {proof['acknowledged']:,} acknowledged commands\n"
        f"  lost {proof['lost']}, doubled {proof['doubled']}, unexplained {proof['unexplained']}, "
        f"pushes out of order {proof['pushes']}\n"
        f"  commands of unknown fate: {fates['landed']} took effect, {fates['absent']} did not\n"
        f"mail: {mail['sent']:,} letters; {mail['arrived']:,} arrived, {mail['returned']:,} came back"
    )
    if gone := {name: proof[name] for name in (BANNED, DELETED) if proof[name]}:
        console.print(f"[yellow]players that could not be read and were not compared: {listed(gone)}[/]")
    for fault in proof["faults"][:NAMED]:
        console.print(Text(f"  {fault}", style="red"))


def _show_boards(console: Console, result: RunResult) -> None:
    if result.boards is None:
        reason = "" if result.failure else ": that needs an admin key (--admin-key-file)"
        console.print(Text(f"boards: NOT PROVED{reason}", style="bold yellow"))
    for board in result.boards or ():
        verdict = "[red]differs from the database[/]" if board.differences else "equals the database"
        console.print(f"board {board.board}: {board.entries:,} entries, {verdict} after {board.seconds:.2f} s")
        for difference in board.differences:
            console.print(Text(f"  {difference}", style="red"))
