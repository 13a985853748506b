"""The fleet as its operators see it, and what they order of it: nodes and databases, moves of slots, seasons.

Law: what is ordered here belongs to no process. It is recorded in the control database first, under the operator's
command id, and the first node that has time carries it out; when that one dies, the next one goes on. An order that is
sent again changes nothing and tells the same moves, for as long as its command id is taken: records are kept longer.
"""

import contextlib
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from gameserver.commands import moves_audit, sharding
from gameserver.commands.accounts import Policy
from gameserver.commands.corrections import ChangedBy
from gameserver.commands.sharding import Sharding
from gameserver.rules import ranges
from gameserver.rules.errors import BadInput, CommandMismatch, Conflict, FieldProblem, NotFound, PresenceUnavailable
from gameserver.storage.live.presence import LiveNode
from gameserver.storage.operators.audit import DONE, MOST_ATTEMPTS, AuditedChange
from gameserver.storage.operators.audit_log import AuditQuestion
from gameserver.storage.rooms import LiveRoom
from gameserver.storage.sharding.membership import Member
from gameserver.storage.sharding.move import MoveRecord, PlannedMove

Ordered = tuple[Sequence[PlannedMove], Sequence[int]]
"""The moves of an order, and their ids."""
RECENT = 50
"""Moves that are listed: those that aren't over, and the last ones."""


@dataclass(frozen=True, slots=True)
class FleetOrders:
    """One per node."""

    sharding: Sharding
    live: LiveRoom
    policy: Policy


@dataclass(frozen=True, slots=True)
class NodeCondition:
    """A node that is alive, with the figures that it told last (`gameserver.vitals`); none yet of a new one."""

    node: LiveNode
    figures: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class WantedMoves:
    """What an operator wants to be moved: these slots of `group` to `target`, or, without them, what balances it."""

    group: str
    slots: str | None = None
    target: str | None = None


async def nodes(fleet: FleetOrders) -> list[NodeCondition]:
    """Every node that is alive. Raises PresenceUnavailable."""
    alive = await fleet.live.presence.nodes()
    figures = await fleet.live.vitals.read([node.address for node in alive])
    return [NodeCondition(*each) for each in zip(alive, figures, strict=True)]


async def nodes_if_told(fleet: FleetOrders) -> list[NodeCondition] | None:
    """As `nodes`; None while Redis, which tells of them, is away."""
    with contextlib.suppress(PresenceUnavailable):
        return await nodes(fleet)
    return None


async def members(fleet: FleetOrders) -> Sequence[Member]:
    """The databases of each group. Raises DatabaseUnavailable."""
    return await fleet.sharding.membership.listed()


async def moves(fleet: FleetOrders) -> list[MoveRecord]:
    """The moves that aren't over, and the last ones that are, newest first. Raises DatabaseUnavailable."""
    return await fleet.sharding.moves.recent(RECENT)


def plan_code(plans: Sequence[PlannedMove]) -> str:
    """Tells a plan from any other one."""
    moves = [[each.group, each.source, each.target, sorted(each.slots)] for each in plans]
    return hashlib.sha256(orjson.dumps(moves)).hexdigest()[:16]


async def plan(fleet: FleetOrders, wanted: WantedMoves) -> list[PlannedMove]:
    """What would be ordered. Raises BadInput, Conflict with the reason why it can't be, DatabaseUnavailable."""
    if (wanted.slots is None) != (wanted.target is None):
        problem = FieldProblem("target", "is given together with `slots`, or neither")
        raise BadInput("Which slots are to be moved where isn't said.", errors=[problem])
    if wanted.slots is not None and wanted.target is not None:
        plans = await sharding.plan_move(
            fleet.sharding, wanted.group, ranges.parse(wanted.slots, "slots"), wanted.target
        )
    else:
        plans = await sharding.plan_rebalance(fleet.sharding, [wanted.group])
        if not plans:
            raise Conflict(f"Every database of {wanted.group} has its share already.")
    return await _fitting(fleet, plans)


async def plan_drain(fleet: FleetOrders, database: str) -> list[PlannedMove]:
    """What would be ordered to empty a database. Raises Conflict, DatabaseUnavailable."""
    return await _fitting(fleet, await sharding.plan_drain(fleet.sharding, database))


async def order(fleet: FleetOrders, wanted: WantedMoves, by: ChangedBy, expected: str | None = None) -> Ordered:
    """Orders moves; with `expected` only if they are those of the plan with this code.

    Raises BadInput, Conflict, CommandMismatch, CommandExpired, DatabaseUnavailable, OutcomeUnknown.
    """
    fleet.policy.window.check(by.command_id, fleet.policy.now())
    action = "slots_rebalance" if wanted.slots is None else "slots_move"
    asked = {"slots": wanted.slots, "to": wanted.target}
    if (ordered := await _ordered(fleet, by, (action, wanted.group, asked))) is not None:
        return await _told(fleet, ordered)
    plans = _as_expected(await plan(fleet, wanted), expected)
    before = await moves_audit.before_order(fleet.sharding.membership, plans)
    entry = replace(_entry(by, action, wanted.group, plans, asked), before=before)
    async with fleet.sharding.audit.recorded(entry) as end:
        ids = await fleet.sharding.moves.order(plans, by.command_id)
        end.after = moves_audit.after_order(before, ids)
    return await _told(fleet, ids)


async def order_drain(fleet: FleetOrders, database: str, by: ChangedBy, expected: str | None = None) -> Ordered:
    """Gives a database no more slots, and orders the moves that take its own away: both, or neither. As `order`.

    Raises Conflict, CommandMismatch, CommandExpired, DatabaseUnavailable, OutcomeUnknown.
    """
    fleet.policy.window.check(by.command_id, fleet.policy.now())
    if (ordered := await _ordered(fleet, by, ("database_drain", database, None))) is not None:
        return await _told(fleet, ordered)
    plans = _as_expected(await plan_drain(fleet, database), expected)
    before = await moves_audit.before_order(fleet.sharding.membership, plans, database)
    entry = replace(_entry(by, "database_drain", database, plans), before=before)
    async with fleet.sharding.audit.recorded(entry) as end:
        ids = await fleet.sharding.moves.order(plans, by.command_id, drained=database)
        end.after = moves_audit.after_order(before, ids, database)
    return await _told(fleet, ids)


async def keepable(fleet: FleetOrders, database: str) -> tuple[list[Member], list[int]]:
    """A database as a member of its groups, and the moves under way that take slots away from it.

    Raises Conflict if no group uses it, DatabaseUnavailable.
    """
    found = [each for each in await members(fleet) if each.database == database]
    if not found:
        raise Conflict(f"No group uses a database {database!r}.")
    return found, [move.id for move in await fleet.sharding.moves.unfinished() if move.source == database]


async def order_keep(fleet: FleetOrders, database: str, by: ChangedBy) -> tuple[list[Member], list[int]]:
    """Takes a database's drain back: it may be given slots again. Moves under way go on. As `keepable`.

    Raises Conflict, CommandMismatch, CommandExpired, DatabaseUnavailable, OutcomeUnknown.
    """
    fleet.policy.window.check(by.command_id, fleet.policy.now())
    found, _ = await keepable(fleet, database)
    before = {"draining": any(each.draining for each in found)}
    entry = AuditedChange(by.admin, "database_keep", database, by.reason, {}, by.command_id, before)
    async with fleet.sharding.audit.once(entry) as end:
        if not end.replayed:
            await fleet.sharding.membership.keep(database)
            end.after = {"draining": False}
    return await keepable(fleet, database)


def _as_expected(plans: list[PlannedMove], expected: str | None) -> list[PlannedMove]:
    if expected not in (None, plan_code(plans)):
        raise Conflict("Meanwhile other moves would be ordered than the preview said: look at them first.")
    return plans


async def _ordered(fleet: FleetOrders, by: ChangedBy, order: tuple[str, str, object]) -> Sequence[int] | None:
    """The moves that this command has ordered before, of which there may be none; None if it has ordered nothing yet.

    Raises CommandMismatch if another order was given under its id: another kind, target, or slots.
    """
    ids = await fleet.sharding.moves.ordered(by.command_id)
    entries, _ = await fleet.sharding.audit.log.find(AuditQuestion(MOST_ATTEMPTS, command_id=by.command_id))
    is_known = bool(ids) or any(entry.ended == DONE for entry in entries)
    if not is_known:
        return None
    if any((entry.action, entry.target, entry.details.get("asked", order[2])) != order for entry in entries):
        raise CommandMismatch("The command id was used before, for another change.")
    return ids


async def _told(fleet: FleetOrders, ids: Sequence[int]) -> Ordered:
    records = [await fleet.sharding.moves.find(move_id) for move_id in ids]
    plans = [
        PlannedMove(record.group, record.source, record.target, [slot.slot for slot in record.slots])
        for record in records
    ]
    return plans, ids


async def node(fleet: FleetOrders, name: str) -> NodeCondition:
    """The node of this name. Raises NotFound, Conflict if several have it, PresenceUnavailable."""
    named = [each for each in await nodes(fleet) if each.node.name == name]
    if not named:
        raise NotFound("There is no such node.")
    if len(named) > 1:
        raise Conflict(f"{len(named)} nodes are called {name}: `[node] name` tells them apart.")
    return named[0]


async def drainable(fleet: FleetOrders, name: str) -> NodeCondition:
    """The node of this name, as `order_node` would tell it to drain. Raises NotFound, Conflict, PresenceUnavailable."""
    found = await node(fleet, name)
    others = [each for each in await nodes(fleet) if each.node.address != found.node.address]
    if all(each.figures.get("draining") for each in others):
        raise _last(name)
    return found


async def order_node(fleet: FleetOrders, name: str, by: ChangedBy, *, drain: bool) -> NodeCondition:
    """Tells a node to drain, or to take new work again. Sent again under its command id it is told once.

    Raises NotFound, Conflict if no other node takes new work, CommandMismatch, CommandExpired, PresenceUnavailable,
    DatabaseUnavailable.
    """
    fleet.policy.window.check(by.command_id, fleet.policy.now())
    found = await node(fleet, name)
    before = {"address": found.node.address, "players": found.node.players, "sockets": found.node.sockets}
    before["draining"] = bool(found.figures.get("draining"))
    action = "node_drain" if drain else "node_resume"
    entry = AuditedChange(by.admin, action, name, by.reason, {}, by.command_id, before)
    async with fleet.sharding.audit.once(entry) as end:
        if end.replayed:
            return found
        address = found.node.address
        others = [each.address for each in await fleet.live.presence.nodes() if each.address != address]
        if not await fleet.live.vitals.order(address, others, by.command_id, drain=drain):
            raise _last(name)
        end.after = before | {"draining": drain}
    return found


def _last(name: str) -> Conflict:
    return Conflict(f"{name} is the last node that takes new work.")


async def cancel(fleet: FleetOrders, move_id: int, by: ChangedBy) -> MoveRecord:
    """Leaves the slots of a move that haven't moved where they are; one that was cancelled stays so.

    Raises Conflict if it is over, NotFound, CommandMismatch, DatabaseUnavailable, OutcomeUnknown.
    """
    move = await fleet.sharding.moves.find(move_id)
    before = moves_audit.shown(move)
    entry = AuditedChange(by.admin, "slots_cancel", str(move_id), by.reason, {}, by.command_id, before)
    async with fleet.sharding.audit.once(entry) as end:
        if not end.replayed:
            if not move.cancelled:
                await fleet.sharding.moves.cancel(move_id)
            end.after = before | {"cancelled": True}
    return await fleet.sharding.moves.find(move_id)


async def _fitting(fleet: FleetOrders, plans: list[PlannedMove]) -> list[PlannedMove]:
    for each in plans:
        await fleet.sharding.mover.require_fit(each)
    return plans


def _entry(
    by: ChangedBy, action: str, target: str, plans: Sequence[PlannedMove], asked: object = None
) -> AuditedChange:
    details = {"moves": [moves_audit.details_of(each) for each in plans]} | ({} if asked is None else {"asked": asked})
    return AuditedChange(by.admin, action, target, by.reason, details, by.command_id)
