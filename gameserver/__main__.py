"""The command line: each command names what it runs and how it fails, and does nothing itself."""

import asyncio
import contextlib
import gc
import os
import sys
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import orjson
import typer
import uvloop
from rich.console import Console

import gameserver
from gameserver import app as application
from gameserver.commands import admin, demo
from gameserver.commands.results import Question
from gameserver.config import ConfigFault, Settings, load, read_toml
from gameserver.rules.errors import GameError
from gameserver.rules.game import GameFault
from gameserver.stack import haproxy_config, overview
from gameserver.stack.errors import StackError
from gameserver.stack.front import nodes_command
from gameserver.stack.node import READY_FILE
from gameserver.stack.up import up as run_up
from gameserver.storage import provision
from gameserver.storage.migrations import OutdatedDatabase
from gameserver.storage.placing import placement
from gameserver.storage.slots import IncompleteMap
from gameserver.telemetry import set_up_logs
from gameserver.transport import openapi, terminal

DEFAULT = Path("config/local.toml")
FAULTS = (ConfigFault, GameFault, StackError, OutdatedDatabase, IncompleteMap, OSError)
YOUNG_OBJECTS = 50_000
"""Made before the collector looks for cycles among them: at its default of 700 it took an eighth of a busy node."""
Config = Annotated[Path, typer.Option(help="The settings, a TOML file.")]

cli = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
nodes = typer.Typer(no_args_is_help=True, help="Change the nodes behind HAProxy while `up` runs.")
cli.add_typer(nodes, name="nodes")
console = Console(width=None if sys.stdout.isatty() else 160)


@cli.command()
def up(config: Config = DEFAULT) -> None:
    """Start the embedded servers and the nodes, and stop them on Ctrl-C."""
    with _faults():
        settings = _settings(config)
        _run(run_up(settings, config, provision.migrate))


@cli.command()
def serve(config: Config = DEFAULT) -> None:
    """Run one node."""
    with _faults():
        ready_file = os.environ.get(READY_FILE)
        _run(application.serve(_settings(config), Path(ready_file) if ready_file else None))


@cli.command()
def migrate(config: Config = DEFAULT) -> None:
    """Bring every database's tables to what this code needs, and place new slots."""
    with _faults():
        _run(provision.migrate(_settings(config)))


@cli.command()
def slots(config: Config = DEFAULT) -> None:
    """Show how many slots each database owns."""

    async def work(core: application.Core) -> None:
        control = core.databases[core.settings.control.database]
        console.print(terminal.slots(await placement(control)))

    _with_core(config, work)


@cli.command()
def rank(
    config: Config = DEFAULT,
    by: Annotated[Literal["exp", "level", "hp", "created_at"], typer.Option()] = "exp",
    class_name: Annotated[str | None, typer.Option("--class", help="Only this class.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 20,
    ascending: Annotated[bool, typer.Option("--ascending")] = False,  # noqa: FBT002
) -> None:
    """Rank the players, exactly, over all databases."""

    async def work(core: application.Core) -> None:
        question = Question(by=by, limit=limit, descending=not ascending, class_name=class_name)
        found = await admin.rank(core.backend, question)
        console.print(terminal.ranking(found, core.backend.rulebook.game))

    _with_core(config, work)


@cli.command("demo")
def load_demo(config: Config = DEFAULT, players: Path = Path("config/demo.toml")) -> None:
    """Load the demo's players; those that are there already are left alone."""

    async def work(core: application.Core) -> None:
        console.print(terminal.loaded(await demo.load(core.backend, read_toml(players))))

    _with_core(config, work)


@cli.command("openapi")
def show_openapi() -> None:
    """Print the OpenAPI document."""
    sys.stdout.buffer.write(orjson.dumps(openapi.document(gameserver.__version__), option=orjson.OPT_INDENT_2))


@cli.command("haproxy-config")
def show_haproxy_config(config: Config = DEFAULT) -> None:
    """Print the configuration of HAProxy that the settings ask for."""
    with _faults():
        settings = _settings(config)
        sys.stdout.write(haproxy_config.render(settings, haproxy_config.first_places(settings)))


@nodes.command("list")
def list_nodes(config: Config = DEFAULT) -> None:
    """Show every node: its address, what HAProxy thinks of it, what is open on it."""
    _ask_up(config, "list")


@nodes.command("add")
def add_node(
    address: Annotated[str | None, typer.Argument(help="host:port of a node that somebody else runs.")] = None,
    config: Config = DEFAULT,
) -> None:
    """Start one more node, or let one that runs already join."""
    _ask_up(config, "add", address)


@nodes.command("drain")
def drain_node(name: str, config: Config = DEFAULT) -> None:
    """Take a node out of rotation and let it finish; it keeps its place."""
    _ask_up(config, "drain", name)


@nodes.command("remove")
def remove_node(name: str, config: Config = DEFAULT) -> None:
    """Drain a node and free its place."""
    _ask_up(config, "remove", name)


@nodes.command("restart")
def restart_nodes(config: Config = DEFAULT) -> None:
    """Drain and start anew every node that `up` runs, one after another."""
    _ask_up(config, "restart")


def _ask_up(config: Path, command: str, argument: str | None = None) -> None:
    async def run() -> None:
        told = await nodes_command(_settings(config), command, argument, typer.echo)
        console.print(overview.members(told))

    with _faults():
        _run(run())


def _with_core(config: Path, work: Any) -> None:
    async def run() -> None:
        async with application.open_core(_settings(config)) as core:
            await work(core)

    with _faults():
        _run(run())


def _settings(config: Path) -> Settings:
    settings = load(config)
    set_up_logs(settings.log)
    return settings


def _run(work: Coroutine[Any, Any, None]) -> None:
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work)


@contextlib.contextmanager
def _faults() -> Iterator[None]:
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


def main() -> None:
    """The `gameserver` command."""
    cli()


if __name__ == "__main__":
    main()
