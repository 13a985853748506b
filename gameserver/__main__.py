"""The command `gameserver`; its groups of commands are modules of `gameserver.cli`."""

import gc

gc.disable()  # nothing that imports make is garbage, and looking for some takes a sixth of a start

import contextlib
import os
import sys
from pathlib import Path
from typing import Annotated

import orjson
import typer

import gameserver
from gameserver import app as application
from gameserver.cli import tables
from gameserver.cli.audit import audit
from gameserver.cli.auditing import audited, change_of
from gameserver.cli.backups import backup, backups_cli, restore
from gameserver.cli.boards import boards_cli
from gameserver.cli.campaigns import campaigns_cli
from gameserver.cli.check import check
from gameserver.cli.config_file import DEFAULT, Config, settings_of
from gameserver.cli.databases import databases
from gameserver.cli.doctor import doctor
from gameserver.cli.failover import failover
from gameserver.cli.keys import keys_cli
from gameserver.cli.looks import claim_looks
from gameserver.cli.new import new, packaged
from gameserver.cli.nodes import nodes_cli
from gameserver.cli.rank import rank
from gameserver.cli.replay import replay
from gameserver.cli.rules import rules_cli
from gameserver.cli.running import Json, carry_out, console, faults, say, with_core
from gameserver.cli.seasons import seasons_cli
from gameserver.cli.slots import slots
from gameserver.commands import crowd, demo
from gameserver.config.files import read_toml
from gameserver.config.settings import Settings
from gameserver.logs.setup import set_up_logs
from gameserver.stack.servers import haproxy_config
from gameserver.stack.servers.node import READY_FILE
from gameserver.stack.up import up as run_up
from gameserver.storage.sharding.provision import Migrated
from gameserver.terminal import open_streams, show
from gameserver.transport import openapi

gc.enable()

_DEMO = "demo.toml"
BY_ITSELF = "the command line"
"""The reason of what is done without asking for one: tables are brought up to date, and a demo is loaded."""

cli = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
cli.command()(new)
cli.command("looks")(claim_looks)
cli.command()(check)
cli.command()(doctor)
cli.command()(audit)
cli.command()(rank)
cli.command()(replay)
cli.command()(backup)
cli.command()(restore)
cli.add_typer(backups_cli, name="backups")
cli.add_typer(nodes_cli, name="nodes")
cli.add_typer(slots, name="slots")
cli.add_typer(databases, name="databases")
cli.add_typer(failover, name="failover")
cli.add_typer(boards_cli, name="boards")
cli.add_typer(seasons_cli, name="seasons")
cli.add_typer(campaigns_cli, name="campaigns")
cli.add_typer(keys_cli, name="keys")
cli.add_typer(rules_cli, name="rules")


@cli.command()
def up(config: Config = DEFAULT, as_json: Json = False) -> None:  # noqa: FBT002
    """Start the embedded servers and the nodes, and stop them on Ctrl-C."""
    with faults():
        settings = settings_of(config)
        carry_out(run_up(settings, config, _migrated, as_json=as_json))


@cli.command()
def serve(config: Config = DEFAULT) -> None:
    """Run one node."""
    with faults():
        ready_file = os.environ.get(READY_FILE)
        settings = settings_of(config)
        set_up_logs(settings.log, settings.node.title)
        carry_out(application.serve(settings, Path(ready_file) if ready_file else None))


@cli.command()
def migrate(config: Config = DEFAULT) -> None:
    """Bring the tables of every database up to date, and assign new slots to databases."""
    with faults():

        async def work() -> None:
            for line in tables.migrated(await _migrated(settings_of(config))):
                console.print(line, soft_wrap=True)

        carry_out(work())


async def _migrated(settings: Settings) -> Migrated:
    """Brings the tables up to date, and records afterwards what has changed: before, there may be no log yet."""

    def recorded(done: Migrated) -> contextlib.AbstractAsyncContextManager[object]:
        if not done.changes:
            return contextlib.nullcontext()
        return audited(settings, change_of("migrate", "databases", BY_ITSELF, done.changes), patient=True)

    return await application.prepare(settings, recorded)


@cli.command("demo")
def load_demo(
    config: Config = DEFAULT,
    file: Annotated[
        Path | None,
        typer.Option("--file", help=f"The players; without it those of {_DEMO} beside game.toml, or four of our own."),
    ] = None,
    players: Annotated[
        int | None, typer.Option(min=1, max=9_999_999, help="Load this many generated players instead.")
    ] = None,
) -> None:
    """Load players to look at; those that exist already are left alone."""

    async def work(core: application.Core) -> None:
        accounts, recorded = core.commands.accounts, core.rooms.operators.audit.recorded
        if players is None:
            chosen = file or _demo_file(settings_of(config).game_file.parent)
            mapping = read_toml(chosen)
            async with recorded(change_of("demo", "players", BY_ITSELF, {"file": chosen.name})):
                loaded = await demo.load(accounts, mapping, say)
            show(console, tables.loaded(loaded))
        else:
            async with recorded(change_of("demo", "players", BY_ITSELF, {"players": players})):
                loading = crowd.load(accounts, core.commands.leaderboards, players, say)
                await tables.show_loading(console, loading, players)

    with_core(config, work)


def _demo_file(folder: Path) -> Path:
    path = folder / _DEMO
    return path if path.is_file() else packaged(_DEMO)


@cli.command("openapi")
def show_openapi() -> None:
    """Print the OpenAPI document."""
    sys.stdout.buffer.write(orjson.dumps(openapi.document(gameserver.__version__), option=orjson.OPT_INDENT_2))


@cli.command("haproxy-config")
def show_haproxy_config(config: Config = DEFAULT) -> None:
    """Print the HAProxy configuration for these settings."""
    with faults():
        settings = settings_of(config)
        sys.stdout.write(haproxy_config.render(settings, haproxy_config.first_places(settings)))


def main() -> None:
    """Runs the command line."""
    open_streams()
    cli()


if __name__ == "__main__":
    main()
