"""What operators are shown of the game's rules over time."""

from collections.abc import Sequence
from typing import Any

from typing_extensions import TypedDict

from gameserver.commands.results import NodeCondition, RecordedRulebook, RolloutPlan, RuleOrder, RulesOverview
from gameserver.rules.differences import RuleChange
from gameserver.times import rfc3339


class RulebookAnswer(TypedDict):
    """The hashes are of game.toml and of the rules' code."""

    number: int
    first_used_at: str
    game_hash: str
    code_hash: str


class RuleOrderAnswer(TypedDict):
    """`state`: preparing, ordered (its moment lies ahead), in_force (also once it was), cancelling, cancelled."""

    edition: int
    rulebook: int
    prior: int
    at: str
    state: str
    admin: str
    reason: str
    problem: str | None
    ordered_at: str


class NodeRulesAnswer(TypedDict):
    """What a node told of its rules last: the edition and rulebook in force, which editions are ready, and problems of
    others by edition; empty for a node that hasn't told any."""

    name: str
    address: str
    rules: dict[str, Any]


class RulesAnswer(TypedDict):
    """`edition` and `rulebook` are in force on the node that answers; edition 0 is its own game.toml.

    `nodes` is null while Redis, which tells of them, is away.
    """

    edition: int
    rulebook: int | None
    rulebooks: list[RulebookAnswer]
    orders: list[RuleOrderAnswer]
    nodes: list[NodeRulesAnswer] | None


class RuleChangeAnswer(TypedDict):
    """A value of game.toml by its path, such as `foes.slime.exp`; null where it isn't there."""

    value: str
    old: Any
    new: Any


class RulesChangesAnswer(TypedDict):
    """What differs between two rulebooks, and whether their code is the same."""

    changes: list[RuleChangeAnswer]
    same_code: bool


class RulesPlanAnswer(TypedDict):
    """What would change from the `rulebook` and `edition` in force, and every reason why it can't be published."""

    preview: bool
    edition: int
    rulebook: int | None
    changes: list[RuleChangeAnswer]
    problems: list[str]
    what_if: str


class RulesOrderedAnswer(TypedDict):
    """What was ordered, or the plan of a preview."""

    plan: RulesPlanAnswer | None
    order: RuleOrderAnswer | None


WHAT_IF = "gameserver replay --game other.toml --since 2026-01-31T00:00:00Z"
"""What shows beforehand what players would have gained and lost."""


def rules(found: RulesOverview, nodes: Sequence[NodeCondition] | None) -> RulesAnswer:
    return {
        "edition": found.edition,
        "rulebook": found.rulebook,
        "rulebooks": [rulebook(book) for book in found.rulebooks],
        "orders": [rule_order(order) for order in found.orders],
        "nodes": None if nodes is None else [_node(each) for each in nodes],
    }


def _node(each: NodeCondition) -> NodeRulesAnswer:
    return {"name": each.node.name, "address": each.node.address, "rules": dict(each.figures.get("rules", {}))}


def rulebook(book: RecordedRulebook) -> RulebookAnswer:
    return {
        "number": book.number,
        "first_used_at": rfc3339(book.first_used_at),
        "game_hash": book.game_hash,
        "code_hash": book.code_hash,
    }


def rule_order(order: RuleOrder) -> RuleOrderAnswer:
    return {
        "edition": order.edition,
        "rulebook": order.rulebook,
        "prior": order.prior,
        "at": rfc3339(order.at),
        "state": "in_force" if order.in_force else order.state,
        "admin": order.admin,
        "reason": order.reason,
        "problem": order.problem,
        "ordered_at": rfc3339(order.ordered_at),
    }


def rules_plan(plan: RolloutPlan) -> RulesOrderedAnswer:
    return {
        "plan": {
            "preview": True,
            "edition": plan.edition,
            "rulebook": plan.present,
            "changes": _changes(plan.differences),
            "problems": list(plan.problems),
            "what_if": WHAT_IF,
        },
        "order": None,
    }


def rules_changes(found: Sequence[RuleChange], *, same_code: bool) -> RulesChangesAnswer:
    return {"changes": _changes(found), "same_code": same_code}


def _changes(found: Sequence[RuleChange]) -> list[RuleChangeAnswer]:
    return [{"value": each.value, "old": each.old, "new": each.new} for each in found]


def rules_ordered(order: RuleOrder) -> RulesOrderedAnswer:
    return {"plan": None, "order": rule_order(order)}
