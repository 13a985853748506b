"""`bots run`: play, then prove."""

import sys
from pathlib import Path
from typing import Annotated, Never

import typer
from rich.console import Console

from bots.cli.ending import NOT_OK, SAW_ERRORS, carry_out, give_up, read_key, write
from bots.cli.options import (
    AdminKey,
    AdminKeyFile,
    AdminUrl,
    FailOnError,
    Json,
    Patience,
    Players,
    Prefix,
    Rate,
    Seconds,
    Seed,
    Sockets,
    Urls,
)
from bots.history.writer import HistoryWriter
from bots.play.swarm import SwarmPlan
from bots.proof import sometimes
from bots.proof.result import RunResult
from bots.report import report
from bots.run import ProofPlan, Target, run


def _expected(values: list[str]) -> list[str]:
    for value in values:
        if value not in sometimes.NAMES:
            raise typer.BadParameter(f"{value!r} isn't one of: {', '.join(sometimes.NAMES)}")
    return values


History = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Write everything that is sent and answered, a JSON object a line (docs/histories.md)."
    ),
]
Probing = Annotated[
    bool, typer.Option("--probes", help="Try orders, names, sign-outs and, with a key, bans with players of their own.")
]
Expected = Annotated[
    list[str],
    typer.Option(
        "--expect", callback=_expected, default_factory=list, show_default=False, metavar="WHAT",
        help="Fail unless the run has seen this, such as 'a resume'; repeat for several.",
    ),
]  # fmt: skip


def run_command(  # noqa: PLR0913 (an option each)
    url: Urls,
    players: Players = 200,
    seconds: Seconds = 30.0,
    sockets: Sockets = 0.5,
    rate: Rate = 5.0,
    seed: Seed = 1,
    patience: Patience = 60.0,
    admin_key: AdminKey = None,
    admin_key_file: AdminKeyFile = None,
    admin_url: AdminUrl = None,
    name_prefix: Prefix = "bot",
    json: Json = None,
    history: History = None,
    *,
    expect: Expected,
    probes: Probing = False,
    fail_on_error: FailOnError = False,
) -> None:
    """Play, then prove that no action is lost or doubled, boards equal the database, and pushes come in order.

    Exit code 1 if that isn't so.
    """
    key = read_key(admin_key_file) if admin_key_file else admin_key
    plan = SwarmPlan(players, seconds, sockets, rate, seed, name_prefix)
    target = Target(tuple(url), key, (admin_url,) if admin_url else tuple(url), patience)
    console = Console(stderr=json == "-")
    proof = ProofPlan(probes, _begin_history(history), tuple(expect))
    result = carry_out(run(plan, target, console, proof))
    _end_history(proof.history)
    report.show(console, result)
    write(json, report.as_json(result))
    _exit(result, fail_on_error=fail_on_error)


def _begin_history(path: Path | None) -> HistoryWriter | None:
    try:
        return None if path is None else HistoryWriter(path)
    except OSError as error:
        give_up(f"can't write the history: {error}")


def _end_history(history: HistoryWriter | None) -> None:
    if history is not None:
        history.close()
        if history.fault:
            print(f"bots: the history isn't complete: {history.fault}", file=sys.stderr)


def _exit(result: RunResult, *, fail_on_error: bool) -> Never:
    errors = result.swarm.tally.errors_seen()
    if result.ok and fail_on_error and errors:
        print(f"bots: proved, but {errors:,} errors occurred on the way", file=sys.stderr)
        raise typer.Exit(SAW_ERRORS)
    raise typer.Exit(0 if result.ok else NOT_OK)
