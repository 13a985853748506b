"""`gameserver seasons`: lists seasons, previews their standings, and closes one early."""

from typing import Annotated

import typer

from gameserver import app as application
from gameserver.cli import tables
from gameserver.cli.actor import Reason
from gameserver.cli.auditing import by_command
from gameserver.cli.config_file import DEFAULT, Config
from gameserver.cli.running import Json, console, with_core
from gameserver.commands import seasons
from gameserver.terminal import show, show_json

Board = Annotated[str, typer.Argument(help="The board.")]

seasons_cli = typer.Typer(no_args_is_help=True, help="Show and close the seasons of boards.")


@seasons_cli.command("list")
def list_seasons(config: Config = DEFAULT, as_json: Json = False) -> None:  # noqa: FBT002
    """Show every season that has begun, and the state of its closing."""

    async def work(core: application.Core) -> None:
        records = await seasons.listed(core.commands.seasons)
        if as_json:
            show_json(tables.season_rows(records))
        else:
            show(console, tables.seasons(records))

    with_core(config, work)


@seasons_cli.command()
def preview(
    board: Board,
    config: Config = DEFAULT,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many places.")] = 20,
) -> None:
    """Show the final standings and rewards as if the season ended now, read from the databases."""

    async def work(core: application.Core) -> None:
        found = await seasons.preview(core.commands.seasons, board, limit, seasons.UNHURRIED_SECONDS)
        show(console, tables.preview(found))

    with_core(config, work)


@seasons_cli.command()
def close(board: Board, reason: Reason, config: Config = DEFAULT) -> None:
    """End the running season of a board in a few seconds; the running nodes count it and send the rewards."""

    async def work(core: application.Core) -> None:
        by = by_command(reason)
        record = await seasons.close_now(core.commands.seasons, by.admin, board, by.reason, by.command_id)
        console.print(f"The season of {board} that began at {tables.moment(record.season.start)} ends.")

    with_core(config, work)
