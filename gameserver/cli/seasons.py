"""`gameserver seasons …`: which have begun, how they would end now, and ending one early."""

from typing import Annotated

import typer

from gameserver import app as application
from gameserver.cli import tables
from gameserver.cli.running import DEFAULT, Config, console, with_core
from gameserver.commands import seasons

ADMIN = "the command line"

seasons_cli = typer.Typer(no_args_is_help=True, help="Show and close the seasons of boards.")


@seasons_cli.command("list")
def list_seasons(config: Config = DEFAULT) -> None:
    """Show every season that has begun, and how far its closing has got."""

    async def work(core: application.Core) -> None:
        console.print(tables.seasons(await seasons.listed(core.commands.seasons)))

    with_core(config, work)


@seasons_cli.command()
def preview(board: str, config: Config = DEFAULT, limit: Annotated[int, typer.Option(min=1, max=10_000)] = 20) -> None:
    """Show who would stand where, and get what, if the season ended now: from the databases."""

    async def work(core: application.Core) -> None:
        console.print(tables.preview(await seasons.preview(core.commands.seasons, board, limit)))

    with_core(config, work)


@seasons_cli.command()
def close(
    board: str, reason: Annotated[str, typer.Option(help="For the audit log.")], config: Config = DEFAULT
) -> None:
    """End the running season of a board in a few seconds; the nodes that run count it and send the rewards."""

    async def work(core: application.Core) -> None:
        record = await seasons.close_now(core.commands.seasons, ADMIN, board, reason)
        console.print(f"The season of {board} that began at {tables.moment(record.season.start)} ends.")

    with_core(config, work)
