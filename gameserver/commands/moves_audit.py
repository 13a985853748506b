"""What the audit log has of moves of slots: both sides of an order, and how far a move is."""

import contextlib
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from gameserver.commands.corrections import ChangedBy
from gameserver.rules import ranges
from gameserver.storage.operators.audit import Audit, AuditedChange, AuditedEnd
from gameserver.storage.sharding.membership import Membership
from gameserver.storage.sharding.move import MoveRecord, PlannedMove, SlotStep


def recorded(
    audit: Audit,
    by: ChangedBy | None,
    action: str,
    target: str,
    before: Mapping[str, Any],
    details: Mapping[str, Any] | None = None,
) -> AbstractAsyncContextManager[AuditedEnd]:
    """The change in the audit log, if it has an author."""
    if by is None:
        return contextlib.nullcontext(AuditedEnd())
    return audit.recorded(AuditedChange(by.admin, action, target, by.reason, details or {}, by.command_id, before))


def details_of(plan: PlannedMove) -> dict[str, str]:
    """What is to be moved."""
    return {"group": plan.group, "slots": ranges.shown(plan.slots), "from": plan.source, "to": plan.target}


async def before_order(
    membership: Membership, plans: Sequence[PlannedMove], drained: str | None = None
) -> dict[str, list[Any]]:
    """The databases that an order of moves is about, as they are, and that there is no move yet."""
    parts = {(plan.group, database) for plan in plans for database in (plan.source, plan.target)}
    databases = [
        {"group": each.group, "database": each.database, "slots": each.slots, "draining": each.draining}
        for each in await membership.listed()
        if (each.group, each.database) in parts or each.database == drained
    ]
    return {"databases": databases, "moves": []}


def after_order(before: Mapping[str, list[Any]], ids: Sequence[int], drained: str | None = None) -> dict[str, Any]:
    """The same once the moves are ordered, none of which has moved a slot yet."""
    databases = [{**each, "draining": each["draining"] or each["database"] == drained} for each in before["databases"]]
    return {"databases": databases, "moves": list(ids)}


def shown(move: MoveRecord) -> dict[str, object]:
    """How far a move is, with how many of its slots have moved."""
    moved = len(move.at(SlotStep.MOVED))
    return {"step": move.step, "cancelled": move.cancelled, "slots": len(move.slots), "moved": moved}
