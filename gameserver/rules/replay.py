"""Replay: the same records, in order, lead to the same player, so the ledger can be checked against the player's row.

Besides actions, the records hold renames, deletion, bans and their lifting; all but a rename change only the version.
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
    """An action, or a letter's rule, as the ledger has it; `args` is decoded JSON, `at` the moment's time."""

    action: str
    args: Any
    seed: int
    at: datetime


def replay(rulebook: Rulebook, player: Player, records: Iterable[Record]) -> Player:
    """The player after these records: every one that took effect, oldest first, under the rules of that time.

    Raises the GameError of the first record that the rules refuse: the ledger was written under other rules.
    """
    for record in records:
        player = _after(rulebook, player, record)
    return player


def _after(rulebook: Rulebook, player: Player, record: Record) -> Player:
    match record.action:
        case "rename":
            return renamed(player, record.args["name"])
        case "delete" | "ban" | "lift_ban" | "add_device" | "remove_device":
            return renamed(player, player.name)
    args = rulebook.recorded(record.action, record.args)
    moment = Moment(record.at, Dice(record.seed), rulebook.game)
    return rulebook.apply(record.action, player, args, moment).player
