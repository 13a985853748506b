"""Replay: the same records, in order, lead to the same player, so the ledger can be checked against the player's row.

Besides actions, the records hold renames, deletion, bans and their lifting, which change only the version (a rename the
name, too), and operators' corrections, whose outcome is what the player became.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gameserver.rules.corrections import CORRECTIONS, recorded_data
from gameserver.rules.dice import Dice
from gameserver.rules.player import Moment, Outcome, Player, renamed
from gameserver.rules.rulebook import Rulebook


@dataclass(frozen=True, slots=True)
class Record:
    """An action, or a letter's rule, as the ledger has it; `args` is decoded JSON, `at` the moment's time."""

    action: str
    args: Any
    seed: int
    at: datetime
    outcome: Mapping[str, Any] | None = None
    """Only corrections need it."""


def replay(rulebook: Rulebook, player: Player, records: Iterable[Record]) -> Player:
    """The player after these records: every one that took effect, oldest first, under the rules of that time.

    Raises the GameError of the first record that the rules refuse: the ledger was written under other rules.
    """
    for record in records:
        player = after(rulebook, player, record).player
    return player


def after(rulebook: Rulebook, player: Player, record: Record) -> Outcome:
    """What one record led to. Raises as `replay` does."""
    match record.action:
        case "rename":
            return Outcome(renamed(player, record.args["name"]), ())
        case "delete" | "ban" | "lift_ban" | "add_device" | "remove_device":
            return Outcome(renamed(player, player.name), ())
    if record.action in CORRECTIONS and record.outcome is not None:
        return Outcome(_corrected(player, record.outcome, record.at), ())
    args = rulebook.recorded(record.action, record.args)
    moment = Moment(record.at, Dice(record.seed), rulebook.game)
    return rulebook.apply(record.action, player, args, moment)


def _corrected(player: Player, outcome: Mapping[str, Any], at: datetime) -> Player:
    exp = outcome["exp"]
    return player._replace(
        class_name=outcome["class"],
        level=outcome["level"],
        hp=outcome["hp"],
        exp=exp,
        version=player.version + 1,
        exp_reached_at=player.exp_reached_at if exp == player.exp else at,
        data=recorded_data(outcome, player.data),
    )
