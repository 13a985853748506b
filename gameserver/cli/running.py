"""What every command of the command line shares: its settings, its loop, and how it tells what went wrong."""

import asyncio
import contextlib
import gc
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
import uvloop
from rich.console import Console

from gameserver import app as application
from gameserver.commands.sharding import Sharding
from gameserver.config.errors import ConfigFault
from gameserver.config.settings import Settings, load
from gameserver.rules.errors import GameError
from gameserver.rules.game import GameFault
from gameserver.stack.errors import StackError
from gameserver.storage.slots.slot_map import IncompleteMap
from gameserver.storage.tables.migrations import OutdatedDatabase
from gameserver.telemetry import set_up_logs

DEFAULT = Path("config/local.toml")
FAULTS = (ConfigFault, GameFault, StackError, OutdatedDatabase, IncompleteMap, OSError)
YOUNG_OBJECTS = 50_000
"""Made before the collector looks for cycles among them: at its default of 700 it took an eighth of a busy node."""
Config = Annotated[Path, typer.Option(help="The settings, a TOML file.")]

console = Console(width=None if sys.stdout.isatty() else 160)


def with_core(config: Path, work: Callable[[application.Core], Awaitable[None]]) -> None:
    """Does what needs a node's storage and commands."""

    async def run() -> None:
        async with application.open_core(settings_of(config)) as core:
            await work(core)

    with faults():
        carry_out(run())


def with_sharding(config: Path, work: Callable[[Sharding], Awaitable[None]]) -> None:
    """Does what needs the slot map and the databases alone; some of these may be away."""

    async def run() -> None:
        async with application.open_sharding(settings_of(config)) as sharding:
            await work(sharding)

    with faults():
        carry_out(run())


def settings_of(config: Path) -> Settings:
    """The settings of a file, and logs as they ask. Raises ConfigFault."""
    settings = load(config)
    set_up_logs(settings.log)
    return settings


def carry_out(work: Coroutine[Any, Any, None]) -> None:
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work)


@contextlib.contextmanager
def faults() -> Iterator[None]:
    """Shows what went wrong in a sentence, and ends with 1."""
    try:
        yield
    except GameError as error:
        problems = "".join(f"\n  {each.field}: {each.problem}" for each in error.errors)
        typer.echo(f"{error.detail}{problems}", err=True)
        sys.exit(1)
    except FAULTS as error:
        typer.echo(str(error), err=True)
        sys.exit(1)
