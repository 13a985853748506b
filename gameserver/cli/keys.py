"""`gameserver keys`: makes, lists, rotates and revokes operators' keys."""

import re
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.table import Table

from gameserver import app as application
from gameserver.cli.actor import Reason
from gameserver.cli.auditing import by_command
from gameserver.cli.config_file import DEFAULT, Config
from gameserver.cli.running import Json, console, with_core
from gameserver.commands import admins
from gameserver.commands.results import AdminKey, NewKey
from gameserver.rules import one_time
from gameserver.rules.roles import Role
from gameserver.terminal import grid, show, show_json
from gameserver.times import rfc3339

keys_cli = typer.Typer(no_args_is_help=True, help="Make, list, rotate and revoke operators' keys for /admin.")
NAME = r"[A-Za-z0-9._@-]{1,64}"
NEW_NAME = r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}"
DAY = 86_400


def _checked(name: str) -> str:
    if not re.fullmatch(NAME, name):
        raise typer.BadParameter("1 to 64 letters, digits, or any of . _ @ -")
    return name


def _checked_new(name: str) -> str:
    if not re.fullmatch(NEW_NAME, name):
        raise typer.BadParameter("1 to 64 letters, digits, or any of . _ @ -, the first a letter or a digit")
    return name


NewName = Annotated[str, typer.Argument(callback=_checked_new, help="Who has the key, as the audit log shows it.")]
Name = Annotated[str, typer.Argument(callback=_checked, help="Who has the key, as the audit log shows it.")]


@keys_cli.command()
def create(  # noqa: PLR0913 (one for each option)
    name: NewName,
    reason: Reason,
    role: Annotated[Role, typer.Option(help="What it may do.")] = Role.VIEWER,
    days: Annotated[int | None, typer.Option(min=1, max=3650, help="How long it holds; for ever unless given.")] = None,
    totp: Annotated[  # noqa: FBT002
        bool,
        typer.Option(
            "--totp",
            help="It opens the console alone, with the one-time password of an app; so it is with roles for which "
            "`[admin] one_time_passwords` demands that.",
        ),
    ] = False,
    config: Config = DEFAULT,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Make a key. It is shown once: only its hash is stored."""

    async def work(core: application.Core) -> None:
        context, by = core.commands.admins, by_command(reason)
        app = admins.new_codes() if totp or role in context.with_codes else None
        key, secret = await admins.make(context, by.admin, NewKey(name, role, days, app), by.reason, by.command_id)
        _show_new(key, secret, None if app is None else one_time.address(app, name), as_json=as_json)

    with_core(config, work)


@keys_cli.command("list")
def list_keys(config: Config = DEFAULT, as_json: Json = False) -> None:  # noqa: FBT002
    """Show the keys, without their secrets, those of the settings, and the newest of those that have ended."""

    async def work(core: application.Core) -> None:
        known = await admins.listed(core.commands.admins)
        rows = [*map(_settings_row, known.of_settings), *map(_row, known.stored)]
        if as_json:
            show_json([{**row, "refused": row["id"] in known.refused} for row in rows])
            return
        show(console, _table(rows))
        for name in dict.fromkeys(row["name"] for row in rows if row["id"] in known.refused):
            typer.echo(
                f"{name} opens nothing: it lacks what `[admin] one_time_passwords` demands of its role.", err=True
            )

    with_core(config, work)


@keys_cli.command()
def rotate(
    name: Name,
    reason: Reason,
    grace: Annotated[int, typer.Option(min=0, max=30 * DAY, help="Seconds for which the old key goes on.")] = DAY,
    config: Config = DEFAULT,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Make a new key of the same role; the old one ends after `--grace`."""

    async def work(core: application.Core) -> None:
        by = by_command(reason)
        key, secret = await admins.rotate(core.commands.admins, by.admin, name, grace, by.reason, by.command_id)
        _show_new(key, secret, None, as_json=as_json)

    with_core(config, work)


@keys_cli.command()
def revoke(name: Name, reason: Reason, config: Config = DEFAULT) -> None:
    """End all keys of a name, and the console's sessions that were opened with them, within two seconds."""

    async def work(core: application.Core) -> None:
        by = by_command(reason)
        count = await admins.revoke(core.commands.admins, by.admin, name, by.reason, by.command_id)
        console.print(f"{name}: {count} keys revoked. Nodes refuse them within two seconds.")

    with_core(config, work)


def _show_new(key: AdminKey, secret: str, app: str | None, *, as_json: bool) -> None:
    """Prints a key, and what an authenticator app is given, if it needs one."""
    if as_json:
        show_json({**_row(key), "key": secret, **({} if app is None else {"app": app})})
        return
    if app is not None:
        typer.echo(f"For the app, shown this once, too: {app}", err=True)
    until = "" if key.expires_at is None else f" It holds until {rfc3339(key.expires_at)}."
    typer.echo(f"The key of {key.name} (role {key.role}) is shown this once:{until}", err=True)
    typer.echo(secret)


def _settings_row(name: str) -> dict[str, Any]:
    return {"name": name, "id": "", "role": "operator", "state": "holds", "made_at": "", "made_by": "the settings",
            "expires_at": None, "one_time_passwords": False}  # fmt: skip


def _row(key: AdminKey) -> dict[str, Any]:
    return {
        "name": key.name,
        "id": key.id,
        "role": key.role.value,
        "state": key.state.replace("_", " "),
        "made_at": rfc3339(key.made_at),
        "made_by": key.made_by,
        "expires_at": None if key.expires_at is None else rfc3339(key.expires_at),
        "one_time_passwords": key.needs_code,
    }


def _table(rows: Sequence[dict[str, Any]]) -> Table:
    table = grid(*rows[0], folded=("name", "made_by")) if rows else grid("name")
    for row in rows:
        table.add_row(*(str(value or "") for value in row.values()))
    return table
