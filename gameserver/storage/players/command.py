"""A command for one player, what it can come to, and the answer a retry of it gets."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import orjson
from pydantic import BaseModel

from gameserver.rules.errors import CommandMismatch, GameError
from gameserver.rules.items import Items
from gameserver.rules.player import Outcome, Player
from gameserver.storage.items.stacks import Payment, Unpaid
from gameserver.storage.ledger.rows import json_of
from gameserver.storage.mail.mailbag import Letter, LetterSettled
from gameserver.storage.slots.slot_map import SlotMoved


@dataclass(slots=True)
class Command:
    """What is asked of one player. `args` is the validated model, `session_epoch` the one his session was opened in.

    `takes` are items that it takes of him; it has a `payment` when they lie in another database.
    """

    id: str
    player_id: int
    action: str
    args: BaseModel
    session_epoch: int
    letter: Letter | None = None
    """The letter that this command delivers: its id is the mail id, `action` its kind, and `args` aren't read."""
    takes: Items = ()
    payment: Payment | None = None


@dataclass(slots=True)
class Receipt:
    """What a command led to: the player after it, as the first answer told it."""

    command_id: str
    player: Player
    max_hp: int
    events: Sequence[dict[str, Any]]
    replayed: bool
    payment: str | None = None
    """The token of the reservation that paid for it, if its items were in another database."""
    at: datetime | None = None
    """When it took effect; None for one that is replayed."""


class LockedElsewhere(Exception):
    """Another transaction holds the player: the command goes back to the queue."""


class FateUnknown(Exception):
    """The commit may or may not have taken place."""


Verdict = Receipt | GameError | LockedElsewhere | SlotMoved | Unpaid | LetterSettled


class _Known(NamedTuple):
    """What the ledger has under a command id."""

    action: str
    args: str
    outcome: str
    version: int


def _replay(command: Command, known: _Known, player: Player) -> Receipt:
    if (known.action, known.args) != (command.action, json_of(command.args)):
        raise CommandMismatch("The command id was used before, for another command.")
    return _told_before(command, known, player)


def _told_before(command: Command, known: _Known, player: Player) -> Receipt:
    told = orjson.loads(known.outcome)
    after = Player(
        id=player.id,
        name=told["name"],
        class_name=told["class"],
        level=told["level"],
        hp=told["hp"],
        exp=told["exp"],
        version=known.version,
        created_at=player.created_at,
        exp_reached_at=player.exp_reached_at,
    )
    return Receipt(command.id, after, told["max_hp"], told["events"], replayed=True, payment=told.get("payment"))


def _told(outcome: Outcome, max_hp: int, payment: Payment | None) -> str:
    player = outcome.player
    told = {
        "name": player.name,
        "class": player.class_name,
        "level": player.level,
        "hp": player.hp,
        "max_hp": max_hp,
        "exp": player.exp,
        "events": outcome.events,
    }
    if payment is not None:
        told["payment"] = payment.token
    return json_of(told)
