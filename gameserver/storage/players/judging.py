"""What a batch judges by: the rulebook in force at its time, with the scoring and the items of that game.

Law: a command that was prepared under another rulebook is prepared again under the one that judges it, so what it takes
and what its arguments may be are never of rules that aren't in force. Where other items would be taken than have been
prepared, it isn't judged at all.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

import orjson

from gameserver.garbage import without_frames
from gameserver.rules.editions import RulesInForce
from gameserver.rules.errors import GameError, RulesChanging
from gameserver.rules.rulebook import Rulebook
from gameserver.storage.items.stacks import Stacks
from gameserver.storage.ledger.rows import json_of
from gameserver.storage.players.command import Command, Verdict, replay
from gameserver.storage.players.gathering import Gathered
from gameserver.storage.seasons.calendar import Calendar
from gameserver.storage.seasons.scoring import Scoring, Scorings


@dataclass(frozen=True, slots=True)
class BatchRules:
    """What judges the commands of one batch."""

    rulebook: Rulebook
    scoring: Scoring
    stacks: Stacks


@dataclass(slots=True)
class Judging:
    """One per committer."""

    rules: RulesInForce
    calendar: Calendar
    make_stacks: Callable[[Rulebook], Stacks]
    _scorings: Scorings = field(init=False)

    def __post_init__(self) -> None:
        self._scorings = Scorings(self.calendar)

    def by(self, edition: int, moment: datetime, *, decided: bool) -> BatchRules | None:
        """By the edition that the database has in force at a moment; None if this node can't judge by it."""
        rulebook = self.rules.judging(edition, moment) if decided else None
        if rulebook is None:
            return None
        return BatchRules(rulebook, self._scorings.of(rulebook), self.make_stacks(rulebook))


def unjudged(command: Command, known: Gathered) -> Verdict:
    """What is said of a command while the database has rules in force by which this node can't judge.

    One that was decided before is answered as it was then: an attempt that was lost may have committed. Only of one
    that is certainly not in the ledger it is said that nothing has changed; a letter is simply brought again.
    """
    if command.letter is not None:
        return _rules_away()
    locked = known.locked.get(command.player_id)
    if locked is None:
        return known.absent[command.player_id]
    recorded = known.recorded.get((command.player_id, command.id))
    if recorded is None:
        return _rules_away()
    try:
        locked.require_session(command)
        return replay(command, recorded, locked.player)
    except GameError as error:
        return without_frames(error)


def _rules_away() -> RulesChanging:
    return RulesChanging("The rules that are in force now aren't on this node yet.", retry_after=1)


def refitted(command: Command, rulebook: Rulebook) -> Command:
    """The command as it is under this rulebook.

    Raises UnknownAction, BadInput, RuleBroken, and RulesChanging if it takes other items now.
    """
    args = rulebook.arguments(command.action, orjson.loads(json_of(command.args)))
    if rulebook.takes(command.action, args) != command.takes:
        raise RulesChanging("The rules have just changed: send this again.", retry_after=1)
    return replace(command, args=args, rulebook=rulebook)
