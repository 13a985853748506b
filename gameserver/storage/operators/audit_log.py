"""Reads the audit log: filtered, newest first, by pages that begin behind an entry."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gameserver.storage import tables
from gameserver.storage.postgres.database import Database

AUDIT, ENDS = tables.audit, tables.audit_ends


class AuditEntry(NamedTuple):
    """One change; `ended` is `done`, the code of an error, or None if nobody knows."""

    id: int
    at: datetime
    admin: str
    action: str
    target: str
    reason: str
    details: Any
    command_id: str | None
    before: Any
    ended: str | None
    ended_at: datetime | None
    after: Any


@dataclass(frozen=True, slots=True)
class AuditQuestion:
    """Which entries: every field that isn't None must fit; `text` is a part of the reason, whatever its case."""

    limit: int
    admin: str | None = None
    action: str | None = None
    target: str | None = None
    command_id: str | None = None
    text: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: int | None = None
    """Only entries with a lower id."""


class AuditLog:
    """Reads the log."""

    def __init__(self, control: Database) -> None:
        self._control = control

    async def find(self, question: AuditQuestion) -> tuple[list[AuditEntry], bool]:
        """A page, newest first, and whether there are more. Raises DatabaseUnavailable."""
        async with self._control.snapshot() as connection:
            entries = await entries_of(connection, question)
        return entries[: question.limit], len(entries) > question.limit


async def entries_of(connection: AsyncConnection, question: AuditQuestion) -> list[AuditEntry]:
    """The question's entries, newest first, and one beyond its limit if there are more."""
    return [AuditEntry(*row) for row in await connection.execute(_query(question))]


def _query(question: AuditQuestion) -> Select[Any]:
    columns = ("id", "at", "admin", "action", "target", "reason", "details", "command_id", "before")
    query = select(*(AUDIT.c[name] for name in columns), ENDS.c.ended, ENDS.c.at.label("ended_at"), ENDS.c.after)
    for name in ("admin", "action", "target", "command_id"):
        if (value := getattr(question, name)) is not None:
            query = query.where(AUDIT.c[name] == value)
    if question.text is not None:
        query = query.where(AUDIT.c.reason.icontains(question.text, autoescape=True))
    for limit, fits in ((question.since, AUDIT.c.at.__ge__), (question.until, AUDIT.c.at.__lt__)):
        if limit is not None:
            query = query.where(fits(limit))
    if question.before is not None:
        query = query.where(AUDIT.c.id < question.before)
    joined = query.select_from(AUDIT.outerjoin(ENDS, ENDS.c.entry == AUDIT.c.id))
    return joined.order_by(AUDIT.c.id.desc()).limit(question.limit + 1)
