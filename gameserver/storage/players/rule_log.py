"""What the log says of a game's own rules: what went wrong in one, where, for whom; and which take too long.

Law: whatever a rule does that its player is answered with 500 leaves one line, with the traceback of the rule, the file
and line of the game's own code, the action, the player, the command and the request.
"""

from typing import Any

import structlog

from gameserver.rules.errors import RuleBroken
from gameserver.rules.rulebook import Rulebook
from gameserver.rules.studio import said
from gameserver.storage.players.command import Command
from gameserver.telemetry import RULE_FAULTS, SLOW_RULES

SLOW_SECONDS = 0.05
"""While a rule runs, everything else on its node stands still."""
log = structlog.get_logger()


def count_from_zero(rulebook: Rulebook) -> None:
    """Shows the counters of all rules from the start: an alert sees no rise in what begins with a fault."""
    for rule in (*rulebook.actions(), *rulebook.mail_kinds()):
        RULE_FAULTS.labels(rule)
        SLOW_RULES.labels(rule)


def rule_failed(rulebook: Rulebook, command: Command, error: BaseException) -> None:
    """A rule raised, broke the law of players, or returned what can't be stored."""
    where, fault = "", said(error)
    if isinstance(error, RuleBroken):
        where, fault = error.where, error.fault
    RULE_FAULTS.labels(command.action).inc()
    log.error(
        "a rule failed",
        action=command.action,
        where=where or rulebook.where(command.action),
        fault=fault,
        exc_info=error.__cause__ or error,
        **_about(command),
    )


def rule_was_slow(rulebook: Rulebook, command: Command, seconds: float) -> None:
    """A rule took longer than SLOW_SECONDS."""
    SLOW_RULES.labels(command.action).inc()
    log.warning(
        "a slow rule holds up its node",
        action=command.action,
        where=rulebook.where(command.action),
        seconds=round(seconds, 3),
        **_about(command),
    )


def _about(command: Command) -> dict[str, Any]:
    request = {"request_id": command.request_id} if command.request_id else {}
    return {"player": command.player_id, "command": command.id, **request}
