"""`gameserver slots …`: where the slots of each group are, and what that means for the databases."""

import asyncio
import time
from typing import Annotated

import typer
from rich.live import Live

from gameserver.cli.running import DEFAULT, Config, carry_out, console, faults, settings_of
from gameserver.storage import provision
from gameserver.storage.survey import Survey
from gameserver.transport import terminal

SAMPLE_SECONDS = 2.0
"""Databases count what they write, and tell about once a second."""

slots = typer.Typer(no_args_is_help=True, help="Show and change which database owns which slots.")


@slots.command()
def status(
    config: Config = DEFAULT,
    watch: Annotated[bool, typer.Option("--watch", help="Go on until Ctrl-C.")] = False,  # noqa: FBT002
) -> None:
    """Show what each database has of each group: slots, players, bytes on disk, and rows written per second."""

    async def run() -> None:
        databases = provision.open_databases(settings_of(config))
        try:
            await _show(Survey(databases), watch=watch)
        finally:
            await databases.close()

    with faults():
        carry_out(run())


async def _show(survey: Survey, *, watch: bool) -> None:
    before, began = await survey.take(), time.monotonic()
    with Live(console=console, auto_refresh=False, transient=False) as live:
        while True:
            await asyncio.sleep(SAMPLE_SECONDS)
            after, now = await survey.take(), time.monotonic()
            live.update(terminal.holdings(before, after, now - began), refresh=True)
            if not watch:
                return
            before, began = after, now
