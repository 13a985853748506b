"""The game's rules over time: the part of the route table under /admin/v1/rules."""

from gameserver.rules import errors
from gameserver.rules.roles import Role
from gameserver.transport import answers, wire
from gameserver.transport.http import rules
from gameserver.transport.route import admin

VIEWER, OPERATOR = Role.VIEWER, Role.OPERATOR
READS = (errors.DatabaseUnavailable,)
ORDERS = (errors.Conflict, errors.CommandExpired, errors.CommandMismatch, errors.OutcomeUnknown, *READS)

RULES_ROUTES = (
    admin(VIEWER, "GET", "/admin/v1/rules", rules.read_rules,
           "Every rulebook, which one is in force, what is ordered, and which nodes are ready for it",
           answer=answers.RulesAnswer, errors=READS),
    admin(VIEWER, "GET", "/admin/v1/rules/{first}/changes/{second}", rules.compare_rules,
           "What differs between two rulebooks", answer=answers.RulesChangesAnswer, errors=(errors.NotFound, *READS)),
    admin(OPERATOR, "POST", "/admin/v1/rules", rules.publish_rules,
           "Put a game.toml in force on every node at one moment, or say what that would change; up to 256 KiB",
           body=wire.PublishRules, query=wire.PreviewQuery, answer=answers.RulesOrderedAnswer, errors=ORDERS,
           takes_command_id=True),
    admin(OPERATOR, "POST", "/admin/v1/rules/revert", rules.revert_rules,
           "Put the rulebook before the present one in force again, or say what that would change",
           body=wire.SwitchRules, query=wire.PreviewQuery, answer=answers.RulesOrderedAnswer, errors=ORDERS,
           takes_command_id=True),
    admin(OPERATOR, "POST", "/admin/v1/rules/cancel", rules.cancel_rules,
           "Take back an order whose moment lies ahead", body=wire.OnEdition, answer=answers.RulesOrderedAnswer,
           errors=ORDERS, takes_command_id=True),
)  # fmt: skip
