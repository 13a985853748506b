"""Queries of rankings that operators save for each other."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from unicodedata import normalize

from gameserver.commands import rankings
from gameserver.commands.accounts import Accounts
from gameserver.commands.operations import Operations
from gameserver.commands.rankings import PlayerChoice
from gameserver.rules.errors import QueryNotFound
from gameserver.storage.operators.audit import AuditedChange
from gameserver.storage.operators.audit_log import AuditQuestion
from gameserver.storage.operators.saved_queries import SavedQuery


async def listed(operations: Operations) -> list[SavedQuery]:
    """All of them, by name. Raises DatabaseUnavailable."""
    return await operations.room.queries.all()


async def find(operations: Operations, name: str) -> SavedQuery:
    """Also of a name that is typed in another form of Unicode. Raises QueryNotFound, DatabaseUnavailable."""
    if (saved := await _found(operations, name)) is None:
        raise QueryNotFound(f"No saved query is called “{name}”.")
    return saved


async def name_of(operations: Operations, typed: str, command: str) -> str | None:
    """The name of the saved query that is typed so; of one that is gone, what the command, sent again, was about.

    What earlier versions saved may have a name that isn't composed. Raises DatabaseUnavailable.
    """
    if (saved := await _found(operations, typed)) is not None:
        return saved.name
    entries, _ = await operations.room.audit.log.find(AuditQuestion(1, command_id=command))
    named = [entry.target for entry in entries if normalize("NFC", entry.target) == normalize("NFC", typed)]
    return named[0] if named else None


async def _found(operations: Operations, name: str) -> SavedQuery | None:
    queries = operations.room.queries
    return await queries.find(name) or await queries.find(normalize("NFC", name))


async def save(
    operations: Operations,
    accounts: Accounts,
    change: AuditedChange,
    query: Mapping[str, str],
    choice: PlayerChoice,
    *,
    replace_other: bool = True,
) -> SavedQuery:
    """Saves a query under the change's target; `choice` is what the query says, and what has this name is replaced.

    Sent again under its command id it tells the same, also where somebody else has saved another one since.
    Raises Conflict if a name that is taken may not be replaced, TooManyQueries, UnknownClass, BadInput,
    CommandMismatch, PresenceUnavailable, DatabaseUnavailable, OutcomeUnknown.
    """
    await rankings.resolved(operations, accounts, choice)
    entry = replace(await _with_before(operations, change), details={"query": dict(query)})
    async with operations.room.audit.once(entry) as end:
        if not end.replayed:
            queries = operations.room.queries
            end.after = _shown(await queries.put(change.target, query, change.admin, replace=replace_other))
    made = end.after or {}
    return SavedQuery(change.target, made["query"], change.admin, datetime.fromisoformat(made["saved_at"]))


async def remove(operations: Operations, change: AuditedChange) -> None:
    """Deletes the query that the change's target names, once per command id.

    Raises QueryNotFound, CommandMismatch, DatabaseUnavailable, OutcomeUnknown.
    """
    async with operations.room.audit.once(await _with_before(operations, change)) as end:
        if not end.replayed:
            if not await operations.room.queries.remove(change.target):
                raise QueryNotFound
            end.after = _shown(None)


async def _with_before(operations: Operations, change: AuditedChange) -> AuditedChange:
    return replace(change, before=_shown(await operations.room.queries.find(change.target)))


def _shown(saved: SavedQuery | None) -> dict[str, Any]:
    """For the audit log."""
    if saved is None:
        return {"query": None, "saved_by": None, "saved_at": None}
    return {"query": dict(saved.query), "saved_by": saved.admin, "saved_at": saved.at.isoformat()}
