"""Queries of rankings that operators save for each other."""

from collections.abc import Mapping
from typing import Any

from gameserver.commands import rankings
from gameserver.commands.accounts import Accounts
from gameserver.commands.operations import Operations
from gameserver.commands.rankings import PlayerChoice
from gameserver.rules.errors import QueryNotFound
from gameserver.storage.operators.audit import AuditedChange
from gameserver.storage.operators.saved_queries import SavedQuery


async def listed(operations: Operations) -> list[SavedQuery]:
    """All of them, by name. Raises DatabaseUnavailable."""
    return await operations.room.queries.all()


async def find(operations: Operations, name: str) -> SavedQuery:
    """Raises QueryNotFound, DatabaseUnavailable."""
    saved = await operations.room.queries.find(name)
    if saved is None:
        raise QueryNotFound(f"No saved query is called “{name}”.")
    return saved


async def save(
    operations: Operations, accounts: Accounts, change: AuditedChange, query: Mapping[str, str], choice: PlayerChoice
) -> SavedQuery:
    """Saves a query under the change's target, in place of what has this name; `choice` is what the query says.

    Sent again it is saved again: the last one that is sent stays.
    Raises TooManyQueries, UnknownClass, BadInput, PresenceUnavailable, DatabaseUnavailable.
    """
    await rankings.resolved(operations, accounts, choice)
    async with operations.room.audit.recorded(await _with_before(operations, change)) as end:
        saved = await operations.room.queries.put(change.target, query, change.admin)
        end.after = dict(saved.query)
    return saved


async def remove(operations: Operations, change: AuditedChange) -> None:
    """Deletes the query that the change's target names. Raises QueryNotFound, DatabaseUnavailable."""
    async with operations.room.audit.recorded(await _with_before(operations, change)):
        if not await operations.room.queries.remove(change.target):
            raise QueryNotFound


async def _with_before(operations: Operations, change: AuditedChange) -> AuditedChange:
    saved = await operations.room.queries.find(change.target)
    before: dict[str, Any] | None = None if saved is None else dict(saved.query)
    return AuditedChange(change.admin, change.action, change.target, change.reason, {}, change.command_id, before)
