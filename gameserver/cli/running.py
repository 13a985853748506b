"""What the commands share: opening what they work on, the event loop, and showing errors."""

import asyncio
import contextlib
import os
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
import uvloop

from gameserver import app as application
from gameserver import garbage
from gameserver.cli.config_file import settings_of
from gameserver.commands.sharding import Sharding
from gameserver.config.errors import ConfigFault
from gameserver.rules.errors import GameError
from gameserver.rules.game import GameFault
from gameserver.stack.errors import StackError
from gameserver.storage.operators.redis_condition import OutdatedRedis
from gameserver.storage.slots.slot_map import IncompleteMap
from gameserver.storage.tables.migrations import OutdatedDatabase
from gameserver.terminal import on_the_way, plain_console, to_nobody
from gameserver.waiting import cancel_and_wait

FAULTS = (ConfigFault, GameFault, StackError, OutdatedDatabase, OutdatedRedis, IncompleteMap, OSError)

console = plain_console()
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
"""The option of commands that show something."""
END_SECONDS = 5.0


def with_core(config: Path, work: Callable[[application.Core], Awaitable[None]]) -> None:
    """Runs `work` with the storage and commands that a node has. Ends the process with 1 on an error."""

    async def run() -> None:
        async with application.open_core(settings_of(config)) as core:
            await work(core)

    with faults():
        carry_out(run())


def with_sharding(config: Path, work: Callable[[Sharding], Awaitable[None]]) -> None:
    """Runs `work` with the slot map and the databases, some of which may be unreachable; ends like `with_core`."""

    async def run() -> None:
        async with application.open_sharding(settings_of(config)) as sharding:
            await work(sharding)

    with faults():
        carry_out(run())


def carry_out(work: Coroutine[Any, Any, None]) -> None:
    """Runs `work` on an event loop of its own. The process ends, with 1, even if a task that is left doesn't."""
    garbage.settle()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            runner.run(work)
        finally:
            if left := runner.run(_end_what_is_left()):
                typer.echo(f"These go on although they were cancelled: {', '.join(left)}", err=True)
                os._exit(1)  # the runner would wait for them for ever


async def _end_what_is_left() -> list[str]:
    """Cancels the tasks that are left; what goes on after END_SECONDS."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    await cancel_and_wait(tasks, END_SECONDS)
    return [str(task.get_coro()) for task in tasks if not task.done()]


@contextlib.contextmanager
def until_enough() -> Iterator[None]:
    """Ends what writes to standard output when its reader has enough, as `head` has."""
    try:
        yield
    except BrokenPipeError:
        to_nobody(sys.stdout)


def say(text: str, *, err: bool = False) -> None:
    """Tells how a change goes on, which it does also if this can't be written."""
    with on_the_way(err=err):
        typer.echo(text, err=err)


@contextlib.contextmanager
def faults() -> Iterator[None]:
    """Shows an error as a sentence, and ends the process with 1."""
    try:
        yield
    except GameError as error:
        problems = "".join(f"\n  {problem.field}: {problem.problem}" for problem in error.errors)
        detail = " ".join(getattr(error, "__notes__", [error.detail]))
        typer.echo(f"{detail}{problems}", err=True)
        sys.exit(1)
    except FAULTS as error:
        typer.echo(str(error), err=True)
        sys.exit(1)
