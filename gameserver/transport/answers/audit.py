"""Entries of the audit log."""

from collections.abc import Sequence
from typing import Any

from typing_extensions import TypedDict

from gameserver.commands.results import AuditEntry
from gameserver.times import rfc3339


class AuditEntryAnswer(TypedDict):
    """`ended` is `done`, the code of an error, or null if nobody knows; `before` and `after` are what was changed."""

    id: str
    at: str
    admin: str
    action: str
    target: str
    reason: str
    command_id: str | None
    details: dict[str, Any]
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    ended: str | None
    ended_at: str | None


class AuditAnswer(TypedDict):
    entries: list[AuditEntryAnswer]
    next_cursor: str | None


AUDIT_COLUMNS = tuple(AuditEntryAnswer.__annotations__)


def audit(entries: Sequence[AuditEntry], cursor: str | None) -> AuditAnswer:
    return {"entries": [audit_entry(entry) for entry in entries], "next_cursor": cursor}


def audit_entry(entry: AuditEntry) -> AuditEntryAnswer:
    return {
        "id": str(entry.id),
        "at": rfc3339(entry.at),
        "admin": entry.admin,
        "action": entry.action,
        "target": entry.target,
        "reason": entry.reason,
        "command_id": entry.command_id,
        "details": entry.details,
        "before": entry.before,
        "after": entry.after,
        "ended": entry.ended,
        "ended_at": None if entry.ended_at is None else rfc3339(entry.ended_at),
    }
