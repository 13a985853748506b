"""`bots run`: its options, and the faults in them."""

import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from bots.cli import disturbing, preflight, reaching
from bots.cli.course import Course
from bots.cli.disturbing import Chaos, Disturbance, StackFolder
from bots.cli.ending import give_up
from bots.cli.evidence import Expected, History, Probing, proof_plan, require_seeable
from bots.cli.objectives import read_objectives
from bots.cli.options import (
    DEFAULTS,
    AdminKey,
    AdminKeyFile,
    AdminUrl,
    Csv,
    FailOnError,
    Html,
    Json,
    Patience,
    Prefix,
    Processes,
    Quiet,
    Slo,
    UrlsOrNone,
)
from bots.cli.reaching import GivenTarget
from bots.play import plan_file
from bots.play.plan import SwarmPlan
from bots.play.plan_file import BadRunPlanError

Plan = Annotated[Path | None, typer.Option(metavar="FILE", help="A plan in TOML (docs/bots.md); options go before it.")]
Mix = Annotated[str | None, typer.Option(metavar="HABIT=SHARE,…", help="Habits of the players and their shares.")]
Arrivals = Annotated[
    float | None,
    typer.Option(min=0.001, metavar="N", help="Open model: N operations a second of all players, come what may."),
]


def run_command(  # noqa: PLR0913 (an option each)
    url: UrlsOrNone = None,
    plan: Plan = None,
    players: Annotated[int | None, typer.Option(min=1, metavar="N", help="How many players sign up; 200.")] = None,
    seconds: Annotated[float | None, typer.Option(min=0.1, metavar="SECONDS", help="How long to play; 30.")] = None,
    warm_up: Annotated[float | None, typer.Option(min=0, metavar="SECONDS", help="First so long uncounted; 0.")] = None,
    sockets: Annotated[float | None, typer.Option(min=0, max=1, metavar="SHARE", help="Share on sockets; 0.5.")] = None,
    rate: Annotated[
        float | None, typer.Option(min=0, metavar="N", help="Closed model: actions/s of a player, 0: no pauses; 5.")
    ] = None,
    arrivals: Arrivals = None,
    mix: Mix = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="Seed of all choices; 1.")] = None,
    patience: Patience = 60.0,
    admin_key: AdminKey = None,
    admin_key_file: AdminKeyFile = None,
    admin_url: AdminUrl = None,
    name_prefix: Prefix = "bot",
    json: Json = None,
    objectives: Slo = None,
    chaos: Chaos = None,
    stack: StackFolder = None,
    report: Html = None,
    csv: Csv = None,
    history: History = None,
    *,
    expect: Expected,
    probes: Probing = False,
    processes: Processes = 1,
    quiet: Quiet = False,
    fail_on_error: FailOnError = False,
) -> None:
    """Play, then prove that no action is lost or doubled, boards equal the database, and pushes come in order.

    Exit code 1 if that isn't so, 4 if an objective is missed, 5 if the generator was too slow to tell.
    """
    outputs = {"--json": json, "--report": report, "--csv": csv, "--history": history}
    reaching.require_apart({"--plan": plan, "--chaos": chaos, "--admin-key-file": admin_key_file, **outputs})
    given = {
        "players": players, "seconds": seconds, "warm_up": warm_up, "sockets": sockets, "rate": rate, "seed": seed,
        "arrivals": None if arrivals is None else [{"rate": arrivals}], "mix": mix,
    }  # fmt: skip
    chosen, as_given = _plan(plan, given, name_prefix)
    wanted = read_objectives(objectives or [])
    reached = reaching.target(GivenTarget(url, admin_key, admin_key_file, admin_url, patience, stack))
    require_seeable(expect, probes=probes, has_key=reached[0].admin_key is not None)
    nemesis = disturbing.nemesis(chaos, stack, reached[0].urls, chosen.seconds, chosen.seed)
    server = preflight.require(reached[0], chosen)
    preflight.require_operations(reached[0], wanted)
    disturbance = Disturbance(nemesis, report, csv)
    proof = proof_plan(history, expect, probes=probes, processes=processes)
    course = Course(
        chosen,
        as_given,
        wanted,
        json,
        quiet=quiet,
        fail_on_error=fail_on_error,
        disturbance=disturbance,
        proof=proof,
        server=server,
        history=history,
    )
    course.play(reached, processes)


def _plan(file: Path | None, given: Mapping[str, Any], prefix: str) -> tuple[SwarmPlan, Mapping[str, Any]]:
    """Return the plan, and as the user gave it: the file's, and what options say instead."""
    sys.path.insert(0, os.getcwd())  # habits of the studio's own are modules beside the plan
    replaced = {name: value for name, value in given.items() if value is not None}
    try:
        if "mix" in replaced:
            replaced["mix"] = plan_file.mix_from_words(replaced["mix"])
        return plan_file.read(file, replaced, replace(DEFAULTS, name_prefix=prefix))
    except BadRunPlanError as error:
        give_up(str(error))
