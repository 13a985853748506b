"""`gameserver nodes`: changes the nodes behind HAProxy while `gameserver up` runs."""

import contextlib
from pathlib import Path
from typing import Annotated, Any

import typer

from gameserver.cli.actor import Reason
from gameserver.cli.auditing import audited, change_of
from gameserver.cli.config_file import DEFAULT, Config, settings_of
from gameserver.cli.running import Json, carry_out, console, faults, say
from gameserver.config.errors import ConfigFault
from gameserver.stack.errors import StackError
from gameserver.stack.fleet import overview
from gameserver.stack.fleet.front import nodes_command
from gameserver.terminal import show, show_json

nodes_cli = typer.Typer(no_args_is_help=True, help="Change the nodes behind HAProxy while `up` runs.")
Name = Annotated[str, typer.Argument(help="The node, as `nodes list` names it.")]


@nodes_cli.command("list")
def list_nodes(config: Config = DEFAULT, as_json: Json = False) -> None:  # noqa: FBT002
    """Show every node: its address, its state in HAProxy, and its open sessions."""

    async def work() -> None:
        answer = await nodes_command(settings_of(config), "list", None, typer.echo)
        if as_json:
            show_json(answer)
        else:
            show(console, overview.fleet(answer))

    with faults():
        carry_out(work())


@nodes_cli.command()
def add(
    reason: Reason,
    address: Annotated[str | None, typer.Argument(help="host:port of a running node that `up` didn't start.")] = None,
    config: Config = DEFAULT,
) -> None:
    """Start one more node, or let a running one join."""
    _change(config, "add", address, reason)


@nodes_cli.command()
def drain(name: Name, reason: Reason, config: Config = DEFAULT) -> None:
    """Take a node out of rotation and let it finish; its place stays reserved."""
    _change(config, "drain", name, reason)


@nodes_cli.command()
def remove(name: Name, reason: Reason, config: Config = DEFAULT) -> None:
    """Drain a node and free its place."""
    _change(config, "remove", name, reason)


@nodes_cli.command()
def restart(reason: Reason, config: Config = DEFAULT) -> None:
    """Restart the nodes that `up` started, one after another; each drains first."""
    _change(config, "restart", None, reason)


def _nodes(answer: Any) -> dict[str, dict[str, Any]]:
    """For the audit log: which nodes there are, and in what states."""
    return {"nodes": {node["name"]: node["states"] for node in answer["nodes"]}}


def _change(config: Path, command: str, argument: str | None, reason: str) -> None:
    async def work() -> None:
        settings = settings_of(config)
        before: dict[str, Any] = {}
        with contextlib.suppress(StackError, ConfigFault):  # the change itself is refused then, and recorded
            before = _nodes(await nodes_command(settings, "list", None, say))
        async with audited(settings, change_of(f"node_{command}", argument or "", reason, {}, before)) as end:
            answer = await nodes_command(settings, command, argument, say)
            end.after = _nodes(answer)
        show(console, overview.fleet(answer))

    with faults():
        carry_out(work())
