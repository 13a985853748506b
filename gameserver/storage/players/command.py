"""A command for one player, what a group commit can make of it, and the answer that a retry gets.

Law: a batch gives every command one `Verdict`. An `Answer` is final and goes to the caller: a `Receipt` is returned,
anything else is raised. A `Postponement` stays inside this room: the command goes back to a queue and is tried again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from pydantic import BaseModel

from gameserver.rules.corrections import Correction
from gameserver.rules.errors import GameError, Refused, RuleBroken
from gameserver.rules.items import Items
from gameserver.rules.player import Player
from gameserver.rules.rulebook import Rulebook
from gameserver.storage.items.stacks import NOT_ENOUGH, Payment, Unpaid
from gameserver.storage.ledger.refusals import raise_refusal
from gameserver.storage.ledger.rows import Recorded, json_of, player_from, require_same
from gameserver.storage.mail.mailbag import LetterSettled, SentLetter
from gameserver.storage.slots.slot_map import SlotMoved
from gameserver.tracing.tracer import CommandSpan


@dataclass(slots=True)
class Command:
    """What one player asks for. `args` is the validated model, `session_epoch` the epoch its session was opened in.

    takes: the items that the action consumes; payment: set when they lie in another database.
    """

    id: str
    player_id: int
    action: str
    args: BaseModel
    session_epoch: int
    letter: SentLetter | None = None
    """The letter that this command delivers: its id is the mail id, `action` its kind, and `args` aren't read."""
    takes: Items = ()
    payment: Payment | None = None
    repeatable: bool = False
    """Whether the id is the client's, so that another copy may come: then a refusal is recorded as well."""
    correction: Correction | None = None
    """What an operator makes of the player, in place of a rule's outcome."""
    request_id: str = ""
    """Of the caller's request, for the log."""
    rulebook: Rulebook | None = None
    """What `args` and `takes` were prepared under; None for what no rulebook prepares."""
    trace: CommandSpan | None = None
    """Set if the request is traced."""
    too_slow: RuleBroken | None = None
    """Set if its rule took too long in an attempt that was lost: it isn't run again."""
    stood_still: bool = False
    """Set for a letter whose rule took too long without using the processor, as if its node stood still: it is run once
    more, and not a third time."""

    def require_planned_for(self, player: Player) -> None:
        """Raises PlayerChanged if it is a correction that was planned for another version: so are its items."""
        if self.correction is not None:
            self.correction.require_planned_for(player)


@dataclass(slots=True)
class Receipt:
    """What a command led to: the player after it, as the first answer shows it."""

    command_id: str
    player: Player
    max_hp: int
    events: Sequence[dict[str, Any]]
    replayed: bool
    payment: str | None = None
    """The token of the reservation that paid for the command, if its items are in another database."""
    at: datetime | None = None
    """When the command took effect; None for a replay."""


class LockedElsewhere(Exception):
    """Another transaction holds the player's row: the command goes back to its queue."""


class LeftOver(Exception):
    """The rules before it took all the time that a transaction has for them, or its node stood still while its own ran:
    the command goes back to its queue."""


Answer = Receipt | GameError | Unpaid | LetterSettled
"""Final. Receipt: the command took effect, now or before. GameError: it was refused, or its fate isn't known.
Unpaid: what it takes isn't in this database, so `Payments` reserves it elsewhere first. LetterSettled: the letter
that it delivers was refused for good, or had taken effect before.
"""

Postponement = LockedElsewhere | LeftOver | SlotMoved
"""Not final. LockedElsewhere, LeftOver: tried again on this database. SlotMoved: on the one that owns the slot."""

Verdict = Answer | Postponement


def replay(command: Command, recorded: Recorded, player: Player) -> Receipt:
    """The first answer of a command that was decided before. Raises CommandMismatch, and Refused if it was refused."""
    require_same((recorded.action, recorded.args), (command.action, json_of(command.args)))
    return first_answer(command, recorded, player)


def first_answer(command: Command, recorded: Recorded, player: Player) -> Receipt:
    """The receipt that the recorded command's caller got first."""
    outcome = orjson.loads(recorded.outcome)
    raise_refusal(outcome)
    after = player_from(outcome, player, recorded.version)
    return Receipt(
        command.id, after, outcome["max_hp"], outcome["events"], replayed=True, payment=outcome.get("payment")
    )


def is_final(command: Command, refusal: Refused) -> bool:
    """Whether a refusal has to be recorded. A lack of items isn't final while more may be on their way (`Payments`).

    That of a correction never is: what it takes was planned by the server, which plans it anew.
    """
    if not command.repeatable or command.correction is not None:
        return False
    lacks_items = bool(command.takes) and refusal.code == NOT_ENOUGH
    return not lacks_items or command.payment is not None
