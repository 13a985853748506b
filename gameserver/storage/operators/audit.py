"""The audit log in the control database: every change by an admin, with its reason, and what it changed.

Law: it only grows. An entry is written before the change, so that no change goes unrecorded; how the change ended, and
what was there then, is a row of its own in `audit_ends`. An entry without an end: the node died in between, or the
control database was away; the ledger says what happened, under the entry's command id. One change has one entry that
says `done`: a copy that is sent later has none, and one that was sent at the same instant says `replayed`.
No name and no text of a player stands in it, only ids and numbers: so what is erased elsewhere isn't kept here.
A change that nothing else deduplicates is made `once`: the entry is its command's claim, so that of copies that are
sent at one instant one is carried out, and the others tell what it has made. The log keeps it for ever.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import func, insert, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from gameserver.rules.errors import CommandMismatch, OutcomeUnknown, Unavailable
from gameserver.storage import tables
from gameserver.storage.operators.audit_log import AuditEntry, AuditLog, AuditQuestion, entries_of
from gameserver.storage.postgres.commit_points import before_commit_point
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.locks import CLAIMING_COMMAND

DONE, FAILED = "done", "internal"
COMPLETE = "complete"
"""False in the `after` of what was done in part."""
MOST_ATTEMPTS = 100
"""Entries of one command that are looked through."""
COPY_SECONDS, PAUSE = 5.0, 0.05
"""How long a copy of a command waits for the one that is being carried out, and how often it looks."""
LAPSED = timedelta(seconds=30)
"""After this long, a change without an end is one whose node has died: a copy may carry it out."""
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
    """Is given what there is after the change; has it, if the change is `replayed`: made before by the same command."""

    after: Mapping[str, Any] | None = None
    replayed: bool = False


class Audit:
    """Entries are written before the change, so that no change goes unrecorded."""

    def __init__(self, control: Database) -> None:
        self._control = control
        self.log = AuditLog(control)

    @contextlib.asynccontextmanager
    async def recorded(self, change: AuditedChange) -> AsyncIterator[AuditedEnd]:
        """Writes the entry, then its end: done with what the block gives as `after`, or the code of its error.

        If the command has an entry that says that this very change was made, none is written, and the end is
        `replayed`; what the block does is deduplicated elsewhere. Raises DatabaseUnavailable before the block, and
        nothing of its own after it.
        """
        with before_commit_point():
            async with self._control.transaction() as connection:
                entry = None if await _is_made(connection, change) else await _begun(connection, change)
        if entry is None:
            yield AuditedEnd(replayed=True)
            return
        async with self._ended(entry) as end:
            yield end

    @contextlib.asynccontextmanager
    async def once(self, change: AuditedChange) -> AsyncIterator[AuditedEnd]:
        """As `recorded`, and once per command id: if the end is `replayed`, the block has nothing to do.

        Raises DatabaseUnavailable, CommandMismatch for another change under this command id, and OutcomeUnknown if a
        copy of it isn't carried out in time.
        """
        with before_commit_point():
            claimed = await self._claimed(change)
        if claimed is None:
            raise OutcomeUnknown("A copy of this command is being carried out: send it again.")
        if isinstance(claimed, AuditEntry):
            yield AuditedEnd(claimed.after, replayed=True)
            return
        async with self._ended(claimed) as end:
            yield end

    async def _claimed(self, change: AuditedChange) -> AuditEntry | int | None:
        """The entry that says that this was done, or the number of a new one; None if a copy takes too long."""
        for _ in range(int(COPY_SECONDS / PAUSE)):
            async with self._control.transaction() as connection:
                if change.command_id is None:
                    return await _begun(connection, change)
                if (claimed := await _claim(connection, change, change.command_id)) is not None:
                    return claimed
            await asyncio.sleep(PAUSE)
        return None

    @contextlib.asynccontextmanager
    async def _ended(self, entry: int) -> AsyncIterator[AuditedEnd]:
        end, ended = AuditedEnd(), FAILED
        try:
            yield end
            ended = DONE
        except SQLAlchemyError:
            raise  # the driver's codes say nothing here
        except Exception as error:
            code = getattr(error, "code", None)
            ended = code if isinstance(code, str) else FAILED
            raise
        finally:
            await self._end(entry, ended, end.after)

    async def _end(self, entry: int, ended: str, after: Mapping[str, Any] | None) -> None:
        row = {"entry": entry, "ended": ended, "after": None if after is None else dict(after)}
        try:
            async with self._control.transaction() as connection:
                await connection.execute(insert(tables.audit_ends).values(row))
        except Unavailable as error:
            log.warning("how a change ended isn't in the audit log", entry=entry, ended=ended, error=error.detail)


async def _claim(connection: AsyncConnection, change: AuditedChange, command_id: str) -> AuditEntry | int | None:
    """As `_claimed`; None while a copy of the command is being carried out."""
    lock = func.pg_advisory_xact_lock(CLAIMING_COMMAND, func.hashtext(command_id))
    now = (await connection.execute(select(func.clock_timestamp(), lock))).scalar_one()
    # A statement after the lock's: it sees what the copy that held the lock has written.
    entries = await entries_of(connection, AuditQuestion(MOST_ATTEMPTS, command_id=command_id))
    asked = (change.admin, change.action, change.target, dict(change.details))
    for entry in entries:
        if (entry.admin, entry.action, entry.target, entry.details) != asked:
            raise CommandMismatch("The command id was used before, for another change.")
    if (done := next((entry for entry in entries if entry.ended == DONE), None)) is not None:
        return done
    if any(entry.ended is None and now - entry.at < LAPSED for entry in entries):
        return None
    return await _begun(connection, change)


async def _is_made(connection: AsyncConnection, change: AuditedChange) -> bool:
    """Whether an entry says so. What was done in part is made by the copy that does the rest."""
    if change.command_id is None:
        return False
    question = AuditQuestion(MOST_ATTEMPTS, change.admin, change.action, change.target, change.command_id)
    return any(
        (entry.ended, entry.reason, entry.details) == (DONE, change.reason, dict(change.details))
        and _has_all(entry.after or {})
        for entry in await entries_of(connection, question)
    )


def _has_all(after: Mapping[str, Any]) -> bool:
    """Whether nothing is left to do; an earlier version said only what an erasure had left."""
    return bool(after.get(COMPLETE, not any(dict(after.get("left") or {}).values())))


async def _begun(connection: AsyncConnection, change: AuditedChange) -> int:
    """The number of a new entry."""
    row = {
        "admin": change.admin,
        "action": change.action,
        "target": change.target,
        "reason": change.reason,
        "details": dict(change.details),
        "command_id": change.command_id,
        "before": None if change.before is None else dict(change.before),
    }
    found = await connection.execute(insert(tables.audit).values(row).returning(tables.audit.c.id))
    return int(found.scalar_one())
