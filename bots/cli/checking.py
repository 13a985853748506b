"""`bots check-history`: the proof of a recorded run, without its server."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bots.cli.ending import NOT_OK, carry_out, give_up, write
from bots.cli.options import Json
from bots.count.document import VIOLATED
from bots.history.lines import BadHistoryError
from bots.proof.pages import NotProvedError
from bots.proof.replay import check_history
from bots.report import proved

Histories = Annotated[Path, typer.Argument(metavar="FILE", help="What `bots run --history FILE` wrote.")]


def check_history_command(file: Histories, json: Json = None) -> None:
    """Judge a recorded run by the same invariants, without its server. Exit code 1 if one is violated."""
    console = Console(stderr=json == "-")
    try:
        verdict = carry_out(check_history(file))
    except (BadHistoryError, NotProvedError) as error:
        give_up(str(error))
    console.print(f"{verdict.lines:,} lines, {verdict.players:,} players", highlight=False)
    proved.show(console, verdict.invariants, [])
    for reason in verdict.left_out:
        console.print(f"[yellow]not judged: {reason}[/]")
    write(json, asdict(verdict))
    raise typer.Exit(NOT_OK if any(each.verdict == VIOLATED for each in verdict.invariants) else 0)
