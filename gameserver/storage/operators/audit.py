"""The audit log in the control database: every change by an admin, with its reason, and what it changed.

Law: it only grows. An entry is written before the change, so that no change goes unrecorded; how the change ended, and
what was there then, is a row of its own in `audit_ends`. An entry without an end: the node died in between, or the
control database was away; the ledger says what happened, under the entry's command id.
No name and no text of a player stands in it, only ids and numbers: so what is erased elsewhere isn't kept here.
"""

import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog
from sqlalchemy import insert

from gameserver.rules.errors import CommandMismatch, Unavailable
from gameserver.storage import tables
from gameserver.storage.operators.audit_log import AuditEntry, AuditLog, AuditQuestion
from gameserver.storage.postgres.database import Database

DONE, FAILED = "done", "internal"
MOST_ATTEMPTS = 100
"""Entries of one command that are looked through."""
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class AuditedChange:
    """What an admin is about to change: `target` is mostly a player's id, `before` what there is now."""

    admin: str
    action: str
    target: str
    reason: str
    details: Mapping[str, Any] = field(default_factory=dict)
    command_id: str | None = None
    before: Mapping[str, Any] | None = None


@dataclass(slots=True)
class AuditedEnd:
    """Is given what there is after the change."""

    after: Mapping[str, Any] | None = None


class Audit:
    """Entries are written before the change, so that no change goes unrecorded."""

    def __init__(self, control: Database) -> None:
        self._control = control
        self.log = AuditLog(control)

    @contextlib.asynccontextmanager
    async def recorded(self, change: AuditedChange) -> AsyncIterator[AuditedEnd]:
        """Writes the entry, then its end: done with what the block gives as `after`, or the code of its error.

        Raises DatabaseUnavailable before the block, and nothing of its own after it.
        """
        entry, end, ended = await self._begin(change), AuditedEnd(), FAILED
        try:
            yield end
            ended = DONE
        except Exception as error:
            code = getattr(error, "code", None)
            ended = code if isinstance(code, str) else FAILED
            raise
        finally:
            await self._end(entry, ended, end.after)

    async def done_before(self, change: AuditedChange) -> AuditEntry | None:
        """The entry of this very change, made before under the same command id; None if it has yet to be made.

        The log keeps it for ever, so no window is needed. Raises DatabaseUnavailable, CommandMismatch for another
        change.
        """
        if change.command_id is None:
            return None
        entries, _ = await self.log.find(AuditQuestion(MOST_ATTEMPTS, command_id=change.command_id))
        asked = (change.admin, change.action, change.target, dict(change.details))
        for entry in entries:
            if (entry.admin, entry.action, entry.target, entry.details) != asked:
                raise CommandMismatch("The command id was used before, for another change.")
        return next((entry for entry in entries if entry.ended == DONE), None)

    async def _begin(self, change: AuditedChange) -> int:
        row = {
            "admin": change.admin,
            "action": change.action,
            "target": change.target,
            "reason": change.reason,
            "details": dict(change.details),
            "command_id": change.command_id,
            "before": None if change.before is None else dict(change.before),
        }
        async with self._control.transaction() as connection:
            found = await connection.execute(insert(tables.audit).values(row).returning(tables.audit.c.id))
            return int(found.scalar_one())

    async def _end(self, entry: int, ended: str, after: Mapping[str, Any] | None) -> None:
        row = {"entry": entry, "ended": ended, "after": None if after is None else dict(after)}
        try:
            async with self._control.transaction() as connection:
                await connection.execute(insert(tables.audit_ends).values(row))
        except Unavailable as error:
            log.warning("how a change ended isn't in the audit log", entry=entry, ended=ended, error=error.detail)
