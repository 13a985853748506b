"""`gameserver failover`: which server of a database leads, and a planned change of that."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table

from gameserver.cli.actor import Reason
from gameserver.cli.auditing import audited, change_of
from gameserver.cli.config_file import DEFAULT, Config, settings_of
from gameserver.cli.running import Json, carry_out, console, faults
from gameserver.config.settings import Settings
from gameserver.stack.clusters import failover_api
from gameserver.stack.errors import StackError
from gameserver.stack.servers.patroni_api import MemberState
from gameserver.terminal import grid, show, show_json

failover = typer.Typer(no_args_is_help=True, help="Show which server of a database leads, and change it.")


@failover.command("list")
def list_members(config: Config = DEFAULT, as_json: Json = False) -> None:  # noqa: FBT002
    """Show the servers of every database that fails over: which leads, and which could take over."""

    async def work() -> None:
        settings = settings_of(config)
        names = [name for name, database in settings.databases.items() if database.members]
        if not names:
            raise StackError("No database in these settings has `members`.")
        listed = {name: await _members(settings, name) for name in names}
        if as_json:
            show_json({name: [asdict(member) for member in members] for name, members in listed.items()})
        else:
            show(console, _table(listed))

    with faults():
        carry_out(work())


@failover.command()
def switchover(
    database: Annotated[str, typer.Argument(help="The database.")],
    reason: Reason,
    to: Annotated[str | None, typer.Option(help="The server that is to lead, as `failover list` names it.")] = None,
    config: Config = DEFAULT,
) -> None:
    """Make a standby that has everything the primary; players wait for some 3 s, or 6 with two servers."""

    async def work() -> None:
        settings = settings_of(config)
        api = failover_api(settings, database)
        # The log may be in the very database that has no primary.
        change = change_of("switchover", database, reason, {"to": to}, {"leads": await _leader(settings, database)})
        async with audited(settings, change) as end:
            done = await api.switch(to)
            end.after = {"leads": await _leader(settings, database)}
        console.print(done)

    with faults():
        carry_out(work())


async def _members(settings: Settings, name: str) -> Sequence[MemberState]:
    try:
        return await failover_api(settings, name).members()
    except StackError:
        return []


async def _leader(settings: Settings, name: str) -> str | None:
    """Which server leads, as far as it is told."""
    return next((member.name for member in await _members(settings, name) if member.leads), None)


def _table(listed: Mapping[str, Sequence[MemberState]]) -> Table:
    table = grid("database", "server", "port", "role", "state", "timeline", "behind", right=("behind",))
    for name, members in listed.items():
        for member in members:
            behind = "" if member.lag is None else f"{member.lag} bytes"
            cells = (member.name, member.port, member.role, member.state, member.timeline or "", behind)
            table.add_row(name, *map(str, cells))
        if not members:
            table.add_row(name, "-", "-", "no Patroni answers", "", "", "")
    return table
