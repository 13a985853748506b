"""`gameserver nodes`: changes the nodes behind HAProxy while `gameserver up` runs."""

from pathlib import Path
from typing import Annotated

import typer

from gameserver.cli.auditing import audited, change_of
from gameserver.cli.config_file import DEFAULT, Config, settings_of
from gameserver.cli.running import Json, carry_out, console, faults
from gameserver.stack.fleet import overview
from gameserver.stack.fleet.front import nodes_command
from gameserver.terminal import show, show_json

nodes_cli = typer.Typer(no_args_is_help=True, help="Change the nodes behind HAProxy while `up` runs.")
Name = Annotated[str, typer.Argument(help="The node, as `nodes list` names it.")]


@nodes_cli.command("list")
def list_nodes(config: Config = DEFAULT, as_json: Json = False) -> None:  # noqa: FBT002
    """Show every node: its address, its state in HAProxy, and its open sessions."""
    _ask_up(config, "list", as_json=as_json)


@nodes_cli.command()
def add(
    address: Annotated[str | None, typer.Argument(help="host:port of a running node that `up` didn't start.")] = None,
    config: Config = DEFAULT,
) -> None:
    """Start one more node, or let a running one join."""
    _ask_up(config, "add", address)


@nodes_cli.command()
def drain(name: Name, config: Config = DEFAULT) -> None:
    """Take a node out of rotation and let it finish; its place stays reserved."""
    _ask_up(config, "drain", name)


@nodes_cli.command()
def remove(name: Name, config: Config = DEFAULT) -> None:
    """Drain a node and free its place."""
    _ask_up(config, "remove", name)


@nodes_cli.command()
def restart(config: Config = DEFAULT) -> None:
    """Restart the nodes that `up` started, one after another; each drains first."""
    _ask_up(config, "restart")


def _ask_up(config: Path, command: str, argument: str | None = None, *, as_json: bool = False) -> None:
    async def run() -> None:
        settings = settings_of(config)
        if command == "list":
            answer = await nodes_command(settings, command, argument, typer.echo)
        else:
            async with audited(settings, change_of(f"node_{command}", argument or "", {})):
                answer = await nodes_command(settings, command, argument, typer.echo)
        if as_json:
            show_json(answer)
        else:
            show(console, overview.fleet(answer))

    with faults():
        carry_out(run())
