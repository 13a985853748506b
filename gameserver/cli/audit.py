"""`gameserver audit`: searches the audit log, and exports it."""

import sys
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import typer

from gameserver import app as application
from gameserver.cli.config_file import DEFAULT, Config
from gameserver.cli.running import Json, console, until_enough, with_core
from gameserver.commands import audit as log
from gameserver.commands.results import AuditEntry, AuditQuestion
from gameserver.exports import Format, encoded, heading
from gameserver.terminal import grid, show, show_json
from gameserver.transport import answers

Moment = Annotated[
    datetime | None, typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ"], help="In UTC.")
]


def audit(  # noqa: PLR0913 (one for each option)
    config: Config = DEFAULT,
    admin: Annotated[str | None, typer.Option(help="Only changes by this key or account.")] = None,
    action: Annotated[str | None, typer.Option(help="Only this kind of change, such as ban.")] = None,
    target: Annotated[str | None, typer.Option(help="Only changes of this: mostly a player's id.")] = None,
    command_id: Annotated[UUID | None, typer.Option(help="Only the change under this command id.")] = None,
    text: Annotated[str | None, typer.Option(help="Only changes whose reason has this text.")] = None,
    since: Moment = None,
    until: Moment = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many, the newest first.")] = 50,
    export: Annotated[
        Format | None, typer.Option(help="Print all of them, as CSV or JSON lines, whatever the limit is.")
    ] = None,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Show what operators have changed, when and why."""
    command = None if command_id is None else str(command_id)
    question = AuditQuestion(limit, admin, action, target, command, text, _utc(since), _utc(until))

    async def work(core: application.Core) -> None:
        if export is not None:
            await _export(core, question, export)
            return
        entries, more = await log.find(core.commands.operations, question)
        if as_json:
            show_json(answers.audit(entries, str(entries[-1].id) if more else None))
        else:
            _show(entries, more=more)

    with_core(config, work)


async def _export(core: application.Core, question: AuditQuestion, kind: Format) -> None:
    out = sys.stdout.buffer
    with until_enough():
        out.write(heading(answers.AUDIT_COLUMNS, kind))
        async for entries in log.export(core.commands.operations, question):
            out.write(encoded(map(answers.audit_entry, entries), answers.AUDIT_COLUMNS, kind))
        out.flush()


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=UTC)


def _show(entries: list[AuditEntry], *, more: bool) -> None:
    table = grid("at", "who", "what", "of", "why", "ended", folded=("who", "of", "why"))
    for entry in entries:
        answer = answers.audit_entry(entry)
        table.add_row(answer["at"], entry.admin, entry.action, entry.target, entry.reason, entry.ended or "")
    table.caption = "There are more: --limit, or --export csv for all." if more else None
    show(console, table)
