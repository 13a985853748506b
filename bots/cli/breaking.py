"""`bots misbehave` and `bots overload`: what a server must bear."""

from typing import Annotated

import typer
from rich.console import Console

from bots.cli.ending import GAVE_UP, NOT_OK, carry_out, write
from bots.cli.options import Json, Seconds, Seed, Urls, urls_or_none
from bots.mischief.kinds import KINDS
from bots.mischief.misbehave import as_json, misbehave
from bots.overload.doors import DOORS
from bots.overload.overload import OverloadPlan, overload
from bots.play.plan_file import LONGEST
from bots.report import figures, overloaded


def _doors(value: str) -> str:
    unknown = [name for name in value.split(",") if name not in DOORS]
    if unknown:
        raise typer.BadParameter(f"{unknown[0]!r} isn't one of {','.join(DOORS)}")
    return value


def _kinds(values: list[str]) -> list[str]:
    for value in values:
        if value not in KINDS:
            raise typer.BadParameter(f"one or more of {', '.join(KINDS)}")
    return values


def misbehave_command(
    kinds: Annotated[
        list[str],
        typer.Argument(
            callback=_kinds,
            metavar="KIND",
            default_factory=lambda: [*KINDS],
            show_default=False,
            help=f"Any of {', '.join(KINDS)}; by default all.",
        ),
    ],
    url: Urls,
    seconds: Annotated[
        float, typer.Option(min=1, max=LONGEST, metavar="SECONDS", help="The most that each kind may take.")
    ] = 20.0,
    json: Json = None,
) -> None:
    """Break the rules in every way, beside an honest player. Exit code 1 if that player notices."""
    console = Console(stderr=json == "-")
    incidents = carry_out(
        misbehave(tuple(url), kinds, seconds, lambda incident: figures.show_incident(console, incident))
    )
    write(json, as_json(incidents))
    raise typer.Exit(0 if all(incident.harmless for incident in incidents) else NOT_OK)


def overload_command(  # noqa: PLR0913 (an option each)
    url: Urls,
    door: Annotated[str, typer.Option(callback=_doors, metavar="DOOR,…", help=f"Any of {','.join(DOORS)}.")] = ",".join(
        DOORS
    ),
    seconds: Seconds = 10.0,
    seed: Seed = 1,
    players: Annotated[int, typer.Option(min=1, metavar="N", help="How many players act, read and sign in.")] = 256,
    connections: Annotated[int, typer.Option(min=1, metavar="N", help="HTTP connections, at the most.")] = 4096,
    operators_url: Annotated[
        list[str] | None,
        typer.Option(callback=urls_or_none, metavar="URL", help="A node's operators' listener; its memory is watched."),
    ] = None,
    capacity_seconds: Annotated[
        float, typer.Option(min=0.1, max=LONGEST, metavar="SECONDS", help="For how long a door's capacity is measured.")
    ] = 2.0,
    memory: Annotated[int, typer.Option(min=1, metavar="MIB", help="By how much a node's memory may grow.")] = 256,
    json: Json = None,
) -> None:
    """Ask twice of each door what it can take, and prove that it answers in time or says when to come back.

    What it acknowledged must hold. Exit code 1 if that isn't so, 2 if this machine couldn't send enough to tell.
    """
    console = Console(stderr=json == "-")
    plan = OverloadPlan(
        tuple(url), door.split(","), seconds, seed, players, connections, capacity_seconds,
        operators_urls=tuple(operators_url or ()), memory_mib=memory,
    )  # fmt: skip
    result = carry_out(overload(plan, lambda verdict: overloaded.show_door(console, verdict)))
    overloaded.show(console, result)
    write(json, overloaded.as_json(result))
    raise typer.Exit(NOT_OK if not result.ok else GAVE_UP if result.void else 0)
