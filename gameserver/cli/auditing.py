"""Records a change that the command line makes in the audit log, also while the control database may be away."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any

import typer

from gameserver.cli.actor import actor
from gameserver.commands import command_ids
from gameserver.commands.results import ChangedBy
from gameserver.config.settings import Settings
from gameserver.rules.errors import DatabaseUnavailable
from gameserver.storage.operators.audit import Audit, AuditedChange, AuditedEnd
from gameserver.storage.sharding import provision


def change_of(
    action: str, target: str, reason: str, details: Mapping[str, Any], before: Mapping[str, Any] | None = None
) -> AuditedChange:
    """What whoever uses the command line is about to change, and what there is now."""
    by = by_command(reason)
    return AuditedChange(by.admin, action, target, by.reason, details, by.command_id, before)


def by_command(reason: str) -> ChangedBy:
    """Whoever uses the command line, for one command."""
    return ChangedBy(actor(), reason, command_ids.new_id(datetime.now(UTC)))


@contextlib.asynccontextmanager
async def audited(settings: Settings, change: AuditedChange, *, patient: bool = False) -> AsyncIterator[AuditedEnd]:
    """Records the change before the block and its end after it; says so if it can't be, and goes on.

    The block is given what it tells of the end.

    `patient` as for `provision.open_databases`.
    """
    databases = provision.open_databases(settings, patient=patient)
    try:
        async with contextlib.AsyncExitStack() as stack:
            end = AuditedEnd()
            try:
                end = await stack.enter_async_context(Audit(databases[settings.control.database]).recorded(change))
            except DatabaseUnavailable as error:
                typer.echo(f"This isn't in the audit log: {error.detail}", err=True)
            yield end
    finally:
        await databases.close()
