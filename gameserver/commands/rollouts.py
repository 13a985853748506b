"""Rulebooks put in force on every node at one moment, without a restart: foreseen, published, reverted, cancelled.

Law: an order is judged before anything is stored, as a start judges game.toml: its faults, what players hold, and code
that isn't loaded. It is decided in the control database once every database of players knows of it (rule_orders.py), so
one that can't reach them all before its moment doesn't happen. Databases refuse rows by any other rules from that
moment on, whatever a node knows (players/judging.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import orjson

from gameserver.commands import game_names
from gameserver.commands.accounts import Policy
from gameserver.commands.corrections import ChangedBy
from gameserver.commands.rulebooks import Library, as_stored, parsed_or_none, require_loaded, text_of
from gameserver.rules.differences import RuleChange, differences
from gameserver.rules.editions import FIRST, RulesInForce
from gameserver.rules.errors import BadInput, CommandMismatch, Conflict, DatabaseUnavailable, FieldProblem
from gameserver.rules.game import GameFault
from gameserver.rules.rulebook import Rulebook
from gameserver.storage.operators.audit import Audit, AuditedChange
from gameserver.storage.operators.audit_log import AuditQuestion
from gameserver.storage.operators.game_names import GameNames
from gameserver.storage.operators.rule_editions import RuleEditions
from gameserver.storage.operators.rule_orders import (
    CANCELLED,
    CANCELLING,
    ORDERED,
    PREPARING,
    NewRuleOrder,
    RuleOrder,
    RuleOrders,
    require_edition,
)
from gameserver.storage.operators.rulebooks import RecordedRulebook
from gameserver.times import rfc3339

When = datetime | timedelta
"""A moment of the control database's clock, or how long after the order has been judged."""
RECENT = 50
"""Orders that are listed."""


@dataclass(frozen=True, slots=True)
class Rollouts:
    """One per node."""

    rules: RulesInForce
    library: Library
    orders: RuleOrders
    editions: RuleEditions
    names: GameNames
    audit: Audit
    policy: Policy


IN_FORCE = "This rulebook is in force already."
UNREADABLE = "this node's version can't read the rules in force: ask a newer one"


@dataclass(frozen=True, slots=True)
class RolloutPlan:
    """What would change, from the rulebook and edition in force, and why it can't be, if it can't."""

    edition: int
    present: int
    differences: Sequence[RuleChange]
    problems: Sequence[str]


@dataclass(frozen=True, slots=True)
class RulesOverview:
    """All rulebooks from the newest; the one in force on this node, under its edition; the last orders."""

    rulebooks: Sequence[RecordedRulebook]
    edition: int
    rulebook: int | None
    orders: Sequence[RuleOrder]


async def overview(rollouts: Rollouts) -> RulesOverview:
    """Raises DatabaseUnavailable."""
    present = rollouts.rules.edition
    books, orders = await rollouts.library.records.all(), await rollouts.orders.newest(RECENT)
    return RulesOverview(books, present.number, present.rulebook.number, orders)


async def compare(rollouts: Rollouts, first: int, second: int) -> tuple[list[RuleChange], bool]:
    """What differs between two rulebooks, and whether their code is the same. Raises NotFound, DatabaseUnavailable."""
    one, two = await rollouts.library.record(first), await rollouts.library.record(second)
    return differences(orjson.loads(one.game), orjson.loads(two.game)), one.code_hash == two.code_hash


async def preview(
    rollouts: Rollouts, game: Mapping[str, Any], at: When | None = None, *, is_new: bool = True
) -> RolloutPlan:
    """What would change, and what stands in the way, also of the moment if there is one. Raises DatabaseUnavailable.

    One that isn't new was published before, and may have what earlier versions took.
    """
    edition, number = await _in_force(rollouts)
    try:
        require_loaded(game)
        wanted = Rulebook.parse_new(game) if is_new else Rulebook.parse(game)
    except GameFault as fault:
        return RolloutPlan(edition, number, (), fault.problems)
    present = await rollouts.library.mapping(number)
    if (replaced := parsed_or_none(present)) is None:
        return RolloutPlan(edition, number, (), [UNREADABLE])
    problems = list(await game_names.needed(rollouts.names, replaced, wanted.game))
    if not (changes := differences(present, as_stored(game))):
        problems.append(IN_FORCE)
    if isinstance(at, datetime) and at <= rollouts.policy.now():
        problems.append("Its moment has come already.")
    return RolloutPlan(edition, number, changes, problems)


async def publish(
    rollouts: Rollouts, game: Mapping[str, Any], at: When, by: ChangedBy, expected: int | None = None
) -> RuleOrder:
    """Orders a content of game.toml to be in force from a moment of the control database's clock on.

    Only while `expected` is in force, if it is given, and no other edition than what was judged by.
    Raises BadInput with every reason why it can't be, Conflict, CommandExpired, CommandMismatch, DatabaseUnavailable,
    OutcomeUnknown.
    """
    return await _ordered(rollouts, game, at, by, "rules_publish", expected)


async def revert_preview(rollouts: Rollouts, at: When | None = None) -> RolloutPlan:
    """As `preview`, of the rulebook that was in force before. Raises Conflict, DatabaseUnavailable."""
    return await preview(rollouts, await _prior(rollouts), at, is_new=False)


async def revert(rollouts: Rollouts, at: When, by: ChangedBy, expected: int | None = None) -> RuleOrder:
    """Orders the rulebook that was in force before the present one. Raises what `publish` does."""
    if (earlier := await rollouts.orders.find(by.command_id)) is not None:
        return await _same(rollouts, earlier, at, "rules_revert")
    return await _ordered(rollouts, await _prior(rollouts), at, by, "rules_revert", expected)


async def cancel(rollouts: Rollouts, by: ChangedBy, expected: int | None = None) -> RuleOrder:
    """Takes back an order whose moment lies ahead; all databases must be there. One that was cancelled stays so.

    Raises Conflict if there is none, or its moment is too near, or another edition than `expected` is ordered,
    CommandMismatch, DatabaseUnavailable, OutcomeUnknown.
    """
    nothing = Conflict("No rulebook is ordered whose moment lies ahead.")
    orders = await rollouts.orders.newest(1, [] if expected is None else [expected])
    order = next((each for each in orders if expected in (None, each.edition)), None)
    if order is None:
        raise nothing
    entry = AuditedChange(by.admin, "rules_cancel", str(order.edition), by.reason, {}, by.command_id, _shown(order))
    async with rollouts.audit.once(entry) as end:
        if end.replayed:
            return await rollouts.orders.find(order.command_id) or order
        if orders[0] is not order and orders[0].pending:
            raise Conflict(f"Meanwhile edition {orders[0].edition} is ordered, not {expected}: look at it first.")
        if order.state == CANCELLED and order.at > order.now:
            end.after = _shown(order)
            return order
        if not order.pending:
            raise nothing
        if order.state != ORDERED or not await rollouts.orders.step(order, CANCELLING, ahead=True):
            raise Conflict("It is too late, or the order is being decided at this moment.")
        cancelled = await _cancelled(rollouts, _stepped(order, CANCELLING), by)
        end.after = _shown(cancelled)
    return cancelled


async def settle(rollouts: Rollouts, order: RuleOrder) -> None:
    """Takes an order that was left half-way back to where it was sure. Raises DatabaseUnavailable."""
    state = CANCELLED if order.state == PREPARING else ORDERED
    if await rollouts.orders.step(order, state, problem="left half-way by the process that worked on it"):
        await rollouts.editions.tell(_stepped(order, state))


def foreseen(at: datetime | None, in_seconds: int | None) -> When | None:
    """As `when`, of a preview, which needs no moment."""
    return None if at is None and in_seconds is None else when(at, in_seconds)


def when(at: datetime | None, in_seconds: int | None) -> When:
    """Raises BadInput unless exactly one is given."""
    if (at is None) == (in_seconds is None):
        raise BadInput(errors=[FieldProblem("at", "is given, or else `in_seconds`")])
    return at or timedelta(seconds=in_seconds or 0)


async def _ordered(
    rollouts: Rollouts, game: Mapping[str, Any], chosen: When, by: ChangedBy, action: str, expected: int | None
) -> RuleOrder:
    if (earlier := await rollouts.orders.find(by.command_id)) is not None:
        if text_of(await rollouts.library.mapping(earlier.rulebook)) != text_of(game):
            raise CommandMismatch("The command id was used before, for another rulebook.")
        return await _same(rollouts, earlier, chosen, action)
    rollouts.policy.window.check(by.command_id, rollouts.policy.now())
    plan = await preview(rollouts, game, is_new=action != "rules_revert")
    require_edition(expected, plan.edition)
    if plan.problems == [IN_FORCE]:
        raise Conflict(IN_FORCE)
    if plan.problems:
        raise BadInput("These rules can't be published.", errors=[FieldProblem("game", each) for each in plan.problems])
    rulebook = await rollouts.library.loaded(game)
    assert rulebook.number is not None
    at = _moment(chosen if isinstance(chosen, datetime) else rollouts.policy.now() + chosen)
    changed = {each.value: [each.old, each.new] for each in plan.differences}
    details = {"at": rfc3339(at), "changes": changed}
    before = {"rulebook": plan.present, "edition": plan.edition, "at": None, "state": None}
    entry = AuditedChange(by.admin, action, str(rulebook.number), by.reason, details, by.command_id, before)
    async with rollouts.audit.recorded(entry) as end:
        await game_names.record(rollouts.names, rulebook.game)
        new = NewRuleOrder(rulebook.number, plan.present, at, by.command_id, by.admin, by.reason, plan.edition)
        await rollouts.orders.insert(new)
        order = await rollouts.orders.find(by.command_id)
        assert order is not None
        decided = await _decided(rollouts, order)
        end.after = _shown(decided)
    return decided


async def _same(rollouts: Rollouts, earlier: RuleOrder, chosen: When, action: str) -> RuleOrder:
    """The order that was made before under this command id.

    Raises CommandMismatch if that was another action, or for another moment, as far as one is named.
    """
    if isinstance(chosen, datetime) and earlier.at != _moment(chosen):
        raise CommandMismatch("The command id was used before, for another moment.")
    question = AuditQuestion(1, action=action, command_id=earlier.command_id)
    if not (await rollouts.audit.log.find(question))[0]:
        raise CommandMismatch("The command id was used before, for another change.")
    return earlier


def _moment(at: datetime) -> datetime:
    """A moment is exactly what answers say."""
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


async def _decided(rollouts: Rollouts, order: RuleOrder) -> RuleOrder:
    """Tells every database, then decides. Raises DatabaseUnavailable, Conflict: the order is cancelled then."""
    if problems := await rollouts.editions.tell(order, ahead=True):
        await _withdrawn(rollouts, order, problems[0])
        raise DatabaseUnavailable(f"Nothing was ordered: {'; '.join(problems)}", retry_after=5)
    if not await rollouts.orders.step(order, ORDERED, ahead=True):
        await _withdrawn(rollouts, order, "its moment had come before every database knew of it")
        raise Conflict("Nothing was ordered: the moment had come before every database knew of it.")
    ordered = _stepped(order, ORDERED)
    await rollouts.editions.tell(ordered)  # what isn't told now is told by the nodes' loops
    return ordered


async def _withdrawn(rollouts: Rollouts, order: RuleOrder, problem: str) -> None:
    if await rollouts.orders.step(order, CANCELLED, problem=problem[:500]):
        await rollouts.editions.tell(_stepped(order, CANCELLED))


async def _cancelled(rollouts: Rollouts, order: RuleOrder, by: ChangedBy) -> RuleOrder:
    """Cancels an order that is being cancelled, or leaves it as it was ordered."""
    problems = await rollouts.editions.tell(order, ahead=True)
    why = f"cancelled by {by.admin}: {by.reason}"[:500]
    if not problems and await rollouts.orders.step(order, CANCELLED, problem=why, ahead=True):
        cancelled = _stepped(order, CANCELLED)
        await rollouts.editions.tell(cancelled)
        return cancelled
    if await rollouts.orders.step(order, ORDERED):
        await rollouts.editions.tell(_stepped(order, ORDERED))
    if problems:
        raise DatabaseUnavailable(f"Nothing was cancelled: {'; '.join(problems)}", retry_after=5)
    raise Conflict("Nothing was cancelled: its moment is too near.")


async def _prior(rollouts: Rollouts) -> Mapping[str, Any]:
    """The game.toml in force before the present one. Raises Conflict, DatabaseUnavailable."""
    for order in await rollouts.orders.newest(RECENT):
        if order.in_force:
            return await rollouts.library.mapping(order.prior)
    raise Conflict("No rulebook has been published, so there is none to go back to.")


async def _in_force(rollouts: Rollouts) -> tuple[int, int]:
    """The edition in force and its rulebook, also where this node lacks them. Raises DatabaseUnavailable."""
    for order in await rollouts.orders.newest(1):
        if order.in_force:
            return order.edition, order.rulebook
    number = rollouts.rules.rulebook.number  # nothing was published, so each node goes by the game.toml of its start
    assert number is not None
    return FIRST, number


def _stepped(order: RuleOrder, state: str) -> RuleOrder:
    return replace(order, state=state, step=order.step + 1)


def _shown(order: RuleOrder) -> dict[str, Any]:
    return {"rulebook": order.rulebook, "edition": order.edition, "at": rfc3339(order.at), "state": order.state}
