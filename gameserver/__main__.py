"""The command line: each command names what it runs and how it fails, and does nothing itself."""

import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import orjson
import typer

import gameserver
from gameserver import app as application
from gameserver.cli import tables
from gameserver.cli.boards import boards_cli
from gameserver.cli.databases import databases
from gameserver.cli.running import DEFAULT, Config, carry_out, console, faults, settings_of, with_core
from gameserver.cli.seasons import seasons_cli
from gameserver.cli.slots import slots
from gameserver.commands import crowd, demo, operations
from gameserver.commands.results import Question
from gameserver.config.files import read_toml
from gameserver.stack.fleet import overview
from gameserver.stack.fleet.front import nodes_command
from gameserver.stack.servers import haproxy_config
from gameserver.stack.servers.node import READY_FILE
from gameserver.stack.up import up as run_up
from gameserver.storage.sharding import provision
from gameserver.transport import openapi

cli = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
nodes = typer.Typer(no_args_is_help=True, help="Change the nodes behind HAProxy while `up` runs.")
cli.add_typer(nodes, name="nodes")
cli.add_typer(slots, name="slots")
cli.add_typer(databases, name="databases")
cli.add_typer(boards_cli, name="boards")
cli.add_typer(seasons_cli, name="seasons")


@cli.command()
def up(config: Config = DEFAULT) -> None:
    """Start the embedded servers and the nodes, and stop them on Ctrl-C."""
    with faults():
        settings = settings_of(config)
        carry_out(run_up(settings, config, provision.migrate))


@cli.command()
def serve(config: Config = DEFAULT) -> None:
    """Run one node."""
    with faults():
        ready_file = os.environ.get(READY_FILE)
        carry_out(application.serve(settings_of(config), Path(ready_file) if ready_file else None))


@cli.command()
def migrate(config: Config = DEFAULT) -> None:
    """Bring every database's tables to what this code needs, and place new slots."""
    with faults():
        carry_out(provision.migrate(settings_of(config)))


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
        found = await operations.rank(core.commands.operations, question)
        console.print(tables.ranking(found, core.rulebook.game))

    with_core(config, work)


@cli.command("demo")
def load_demo(
    config: Config = DEFAULT,
    file: Annotated[Path, typer.Option("--file", help="The players to load.")] = Path("config/demo.toml"),
    players: Annotated[
        int | None, typer.Option(min=1, max=9_999_999, help="Load so many made-up ones instead.")
    ] = None,
) -> None:
    """Load the demo's players; those that are there already are left alone."""

    async def work(core: application.Core) -> None:
        if players is None:
            console.print(tables.loaded(await demo.load(core.commands.accounts, read_toml(file))))
        else:
            await tables.show_loading(
                console, crowd.load(core.commands.accounts, core.commands.leaderboards, players), players
            )

    with_core(config, work)


@cli.command("openapi")
def show_openapi() -> None:
    """Print the OpenAPI document."""
    sys.stdout.buffer.write(orjson.dumps(openapi.document(gameserver.__version__), option=orjson.OPT_INDENT_2))


@cli.command("haproxy-config")
def show_haproxy_config(config: Config = DEFAULT) -> None:
    """Print the configuration of HAProxy that the settings ask for."""
    with faults():
        settings = settings_of(config)
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
        answer = await nodes_command(settings_of(config), command, argument, typer.echo)
        console.print(overview.fleet(answer))

    with faults():
        carry_out(run())


def main() -> None:
    """The `gameserver` command."""
    cli()


if __name__ == "__main__":
    main()
