"""Replay: the same records, in order, lead to the same player; so the ledger can be audited against him.

Renames and the deletion are in it beside the actions; a player who is deleted, banned or allowed again
stays as he was, one version on.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gameserver.rules.dice import Dice
from gameserver.rules.player import Moment, Player, renamed
from gameserver.rules.rulebook import Rulebook


@dataclass(frozen=True, slots=True)
class Record:
    """An action, or a letter's rule, as the ledger keeps it; `args` is decoded JSON, `at` the moment's time."""

    action: str
    args: Any
    seed: int
    at: datetime


def replay(rulebook: Rulebook, player: Player, records: Iterable[Record]) -> Player:
    """The player after these records: all that took effect, oldest first, under the rules of their time.

    Raises the GameError of the first record that the rules refuse: such a ledger isn't theirs.
    """
    for record in records:
        player = _after(rulebook, player, record)
    return player


def _after(rulebook: Rulebook, player: Player, record: Record) -> Player:
    match record.action:
        case "rename":
            return renamed(player, record.args["name"])
        case "delete" | "ban" | "lift_ban":
            return renamed(player, player.name)
    args = rulebook.recorded(record.action, record.args)
    moment = Moment(record.at, Dice(record.seed), rulebook.game)
    return rulebook.apply(record.action, player, args, moment).player
