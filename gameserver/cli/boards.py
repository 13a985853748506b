"""`gameserver boards …`: whether the boards are what the databases say, and building them anew."""

import asyncio
import contextlib
import time
from typing import Annotated

import typer

from gameserver import app as application
from gameserver.cli import tables
from gameserver.cli.running import DEFAULT, Config, console, with_core
from gameserver.commands import board_repair, boards
from gameserver.commands.results import CheckReport, Contest
from gameserver.rules.errors import BoardUnavailable, GameError

boards_cli = typer.Typer(no_args_is_help=True, help="Check the boards against the databases, and build them anew.")
LOOK_SECONDS = 0.2
PATIENCE_SECONDS = 1800.0
"""How long `rebuild` waits for the nodes to build a board."""
ADMIN = "the command line"
Names = Annotated[list[str] | None, typer.Argument(help="Boards; all if none is named.")]
Season = Annotated[str, typer.Option(help="current, or when the season began.")]


@boards_cli.command()
def check(
    names: Names = None,
    config: Config = DEFAULT,
    full: Annotated[bool, typer.Option("--full", help="Every player.")] = False,  # noqa: FBT002
    sample: Annotated[int, typer.Option(min=1, max=1_000_000, help="About how many players.")] = 1000,
    repair: Annotated[bool, typer.Option("--repair", help="Put right what differs.")] = False,  # noqa: FBT002
    season: Season = boards.CURRENT,
) -> None:
    """Compare boards with the databases; the exit code is 1 if something differs."""

    async def work(core: application.Core) -> None:
        chosen = names or [board.name for board in core.rooms.seasons.calendar.boards()]
        found = [
            await _check_all(core, name, season, repair=repair)
            if full
            else _shown(*await board_repair.check(core.commands.board_repair, name, season, sample, repair=repair))
            for name in chosen
        ]
        if any(found):
            raise GameError(f"{sum(found)} places differ.")

    with_core(config, work)


async def _check_all(core: application.Core, name: str, season: str, *, repair: bool) -> int:
    with console.status(f"{name} …") as status:

        def show(done: int) -> None:
            status.update(f"{name}: {done:,}")

        return _shown(*await board_repair.check_all(core.commands.board_repair, name, season, show, repair=repair))


def _shown(contest: Contest, verdict: CheckReport) -> int:
    """Prints a verdict; how many places differ."""
    console.print(tables.board_verdict(contest.board.name, boards.season_name(contest), verdict))
    return verdict.found


@boards_cli.command()
def rebuild(
    name: str,
    reason: Annotated[str, typer.Option(help="For the audit log.")],
    config: Config = DEFAULT,
    season: Season = boards.CURRENT,
) -> None:
    """Build a board anew while the old one serves; the nodes that run do it. Waits until it is live, half an hour."""

    async def work(core: application.Core) -> None:
        generation = await board_repair.rebuild(core.commands.board_repair, ADMIN, name, season, reason)
        with console.status(f"{name} is being built …"):
            await _until_live(core, name, season, generation)
        console.print(f"{name} has been built anew.")

    with_core(config, work)


async def _until_live(core: application.Core, name: str, season: str, generation: str) -> None:
    """Raises BoardUnavailable if that takes too long."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(BoardUnavailable):
            if await board_repair.is_live(core.commands.board_repair, name, season, generation):
                return
        await asyncio.sleep(LOOK_SECONDS)
    raise BoardUnavailable(f"{name} isn't live yet. Do nodes run? It is being built as long as one does.")
