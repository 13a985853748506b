"""`bots ladder`: every step of growth in turn, measured."""

import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bots.cli import reaching
from bots.cli.ending import NOT_OK, carry_out, write, writing
from bots.cli.options import Html, Json, Seed, written
from bots.ladder import measures, shown
from bots.ladder.climb import ClimbPlan, climb
from bots.ladder.measures import RungFigures
from bots.ladder.page import page
from bots.ladder.picture import picture
from bots.ladder.rungs import RUNGS, Rung
from bots.play.plan_file import FASTEST, LONGEST

SHORTEST_SECONDS = 15.0
"""Time for two kills, and for seconds beside them."""
CONFIGS = Path("config")
BUSY = 0.25
"""The load of a core, before anything was started, from which on a machine isn't quiet."""
KEYS = [rung.key for rung in RUNGS]


def _keys(values: list[str]) -> list[str]:
    for value in values:
        if value not in KEYS:
            raise typer.BadParameter(f"{value!r} isn't one of {', '.join(KEYS)}")
    return values


def ladder_command(  # noqa: PLR0913 (an option each)
    rungs: Annotated[
        list[str],
        typer.Argument(
            callback=_keys,
            metavar="STEP",
            default_factory=lambda: [*KEYS],
            show_default=False,
            help=f"Any of {', '.join(KEYS)}; by default all.",
        ),
    ],
    configs: Annotated[Path, typer.Option(metavar="FOLDER", help="Where the settings of the steps are.")] = Path(
        "config"
    ),
    players: Annotated[int, typer.Option(min=2, metavar="N", help="How many play on each step.")] = 64,
    seconds: Annotated[
        float, typer.Option(min=SHORTEST_SECONDS, max=LONGEST, metavar="SECONDS", help="For how long.")
    ] = 45.0,
    rate: Annotated[
        float, typer.Option(min=0, max=FASTEST, metavar="N", help="Actions per second and player; 0: no pauses.")
    ] = 0.0,
    seed: Seed = 1,
    html: Html = None,
    svg: Annotated[Path | None, written("Write its picture.")] = None,
    json: Json = None,
) -> None:
    """Start each step of growth in turn, let the same bots play, kill a node and a database, and report what it gains.

    Exit code 1 if a step lost anything. Servers listen on the ports of the settings, which must be free.
    """
    console = Console(stderr=json == "-")
    reaching.require_apart({"--html": html, "--svg": svg, "--json": json})
    chosen = [rung for rung in RUNGS if rung.key in rungs]
    plan = ClimbPlan(configs, chosen, players, seconds, rate, seed)

    def say(rung: Rung, figures: RungFigures | None) -> None:
        console.print(f"{rung.title} …" if figures is None else f"  {_line(figures)}", highlight=False)

    foot = _foot(plan, os.getloadavg()[0])
    figures = carry_out(climb(plan, say))
    shown.show(console, figures)
    for file, text in ((html, page(figures, foot)), (svg, picture(figures, foot) + "\n")):
        if file is not None:
            with writing(file):
                file.write_text(text, "utf-8")
    write(json, measures.as_json(figures, {"foot": foot, "players": players, "seconds": seconds, "seed": seed}))
    raise typer.Exit(NOT_OK if any(each.lost == "violated" for each in figures) else 0)


def _line(figures: RungFigures) -> str:
    if figures.skipped:
        return f"not run: {figures.skipped}"
    return (
        f"{figures.per_second:,.0f} answers/s, p99 {figures.p99:,.1f} ms, nothing lost: {figures.lost or 'not checked'}"
    )


def _foot(plan: ClimbPlan, load: float) -> str:
    """How it was measured; also that the machine had other work, which no figure of it survives unharmed."""
    rate = f"{plan.rate:g} actions/s each" if plan.rate else "as fast as answers come"
    machine = f"{os.cpu_count()} cores for servers and bots ({platform.machine()})"
    busy = f" Other work used the machine meanwhile (load {load:.1f})." if load > BUSY * (os.cpu_count() or 1) else ""
    return f"{datetime.now(UTC):%Y-%m-%d}, {machine}: {plan.players} players, {rate}, {plan.seconds:g} s a step.{busy}"
