"""`gameserver databases …`: databases join a group, give all their slots away, and leave."""

from typing import Annotated

import typer
from pydantic import SecretStr

from gameserver.cli import move_bars, tables
from gameserver.cli.running import DEFAULT, Config, carry_out, console, faults, settings_of, with_sharding
from gameserver.commands import sharding
from gameserver.commands.sharding import Sharding
from gameserver.storage.sharding.admission import admit

databases = typer.Typer(no_args_is_help=True, help="Show and change which databases a group may use.")


@databases.command("list")
def show(config: Config = DEFAULT) -> None:
    """Show which databases each group may use, and how many slots they own."""

    async def work(moves: Sharding) -> None:
        console.print(tables.members(await moves.membership.listed()))

    with_sharding(config, work)


@databases.command()
def add(
    name: str,
    url: Annotated[str | None, typer.Option(help="postgresql://…, of one that the settings don't name.")] = None,
    group: Annotated[list[str] | None, typer.Option("--group", help="May be given again.")] = None,
    config: Config = DEFAULT,
) -> None:
    """Bring a database's tables up to date and let a group use it; `slots rebalance` then gives it its share."""
    with faults():
        settings = settings_of(config)
        groups = group or ["players"]
        carry_out(admit(settings, name, SecretStr(url) if url is not None else None, groups))
        console.print(f"{name} has joined {' and '.join(groups)}; it owns no slot yet: `gameserver slots rebalance`.")


@databases.command()
def drain(name: str, config: Config = DEFAULT) -> None:
    """Move all slots of a database to the others, and give it none any more."""

    async def work(moves: Sharding) -> None:
        plans = await sharding.drain(moves, name)
        console.print(tables.plans(plans))
        await move_bars.carry_out(moves, await sharding.begin_drain(moves, name, plans))

    with_sharding(config, work)


@databases.command()
def remove(name: str, config: Config = DEFAULT) -> None:
    """Forget a database that owns no slot any more."""

    async def work(moves: Sharding) -> None:
        await moves.membership.leave(name)
        console.print(f"{name} has left.")

    with_sharding(config, work)
