"""`gameserver databases`: adds databases to a group, empties them of slots, and removes them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import typer
from pydantic import SecretStr

from gameserver.cli import move_bars, tables
from gameserver.cli.actor import Reason
from gameserver.cli.auditing import by_command, change_of
from gameserver.cli.config_file import DEFAULT, Config, settings_of
from gameserver.cli.running import Json, carry_out, console, faults, with_sharding
from gameserver.commands import sharding
from gameserver.commands.sharding import Sharding
from gameserver.storage.operators.audit import Audit
from gameserver.storage.postgres.database import Database
from gameserver.storage.sharding.admission import admit
from gameserver.storage.sharding.membership import Membership
from gameserver.terminal import on_the_way, show, show_json

databases = typer.Typer(no_args_is_help=True, help="Show and change which databases a group may use.")
Name = Annotated[str, typer.Argument(help="The database.")]


@databases.command("list")
def list_databases(config: Config = DEFAULT, as_json: Json = False) -> None:  # noqa: FBT002
    """Show which databases each group may use, and how many slots they own."""

    async def work(moves: Sharding) -> None:
        listed = await moves.membership.listed()
        if as_json:
            show_json(tables.member_rows(listed))
        else:
            show(console, tables.members(listed))

    with_sharding(config, work)


@databases.command()
def add(
    name: Name,
    reason: Reason,
    url: Annotated[
        str | None,
        typer.Option(help="postgresql://role@host/name, without its password, if the settings don't name it."),
    ] = None,
    group: Annotated[
        list[str] | None,
        typer.Option("--group", help="The group that may use it; repeat for more. players if none is named."),
    ] = None,
    config: Config = DEFAULT,
) -> None:
    """Bring a database's tables up to date and let a group use it; `slots rebalance` then gives it slots."""
    with faults():
        settings = settings_of(config)
        groups = group or ["players"]

        @asynccontextmanager
        async def recorded(control: Database) -> AsyncIterator[None]:
            details, before = {"groups": groups, "url": url}, await _groups(control, name)
            async with Audit(control).recorded(change_of("database_add", name, reason, details, before)) as end:
                yield
                end.after = {"groups": sorted({*before["groups"], *groups}), "draining": False}

        carry_out(admit(settings, name, SecretStr(url) if url is not None else None, groups, recorded))
        console.print(
            f"{name} has joined {' and '.join(groups)}; it owns no slot until `gameserver slots rebalance --reason …`."
        )


async def _groups(control: Database, name: str) -> dict[str, Any]:
    members = [each for each in await Membership(control).listed() if each.database == name]
    return {"groups": [each.group for each in members], "draining": any(each.draining for each in members)}


@databases.command()
def drain(name: Name, reason: Reason, config: Config = DEFAULT) -> None:
    """Move all slots of a database to the others, and give it no more."""

    async def work(moves: Sharding) -> None:
        plans = await sharding.plan_drain(moves, name)
        with on_the_way():
            tables.show_or_say(console, tables.plans(plans))
        await move_bars.carry_out(moves, await sharding.drain(moves, name, plans, by_command(reason)))

    with_sharding(config, work)


@databases.command()
def remove(name: Name, reason: Reason, config: Config = DEFAULT) -> None:
    """Remove a database that owns no slot."""

    async def work(moves: Sharding) -> None:
        await sharding.remove(moves, name, by_command(reason))
        console.print(f"{name} is removed.")

    with_sharding(config, work)
