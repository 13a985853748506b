"""`bots run`: play, then prove."""

import sys
from typing import Never

import typer
from rich.console import Console

from bots.cli.ending import NOT_OK, SAW_ERRORS, carry_out, read_key, write
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
from bots.play.plan import SwarmPlan
from bots.proof.result import RunResult
from bots.report import report
from bots.run import Target, run


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
    *,
    fail_on_error: FailOnError = False,
) -> None:
    """Play, then prove that no action is lost or doubled, boards equal the database, and pushes come in order.

    Exit code 1 if that isn't so.
    """
    key = read_key(admin_key_file) if admin_key_file else admin_key
    plan = SwarmPlan(players, seconds, sockets, rate, seed, name_prefix)
    target = Target(tuple(url), key, (admin_url,) if admin_url else tuple(url), patience)
    console = Console(stderr=json == "-")
    result = carry_out(run(plan, target, console))
    report.show(console, result)
    write(json, report.as_json(result))
    _exit(result, fail_on_error=fail_on_error)


def _exit(result: RunResult, *, fail_on_error: bool) -> Never:
    errors = result.swarm.tally.errors_seen()
    if result.ok and fail_on_error and errors:
        print(f"bots: proved, but {errors:,} errors occurred on the way", file=sys.stderr)
        raise typer.Exit(SAW_ERRORS)
    raise typer.Exit(0 if result.ok else NOT_OK)
