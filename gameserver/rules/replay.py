"""Replay: the same records, in order, lead to the same player; so the ledger can be audited against him."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from gameserver.rules.dice import Dice
from gameserver.rules.player import Moment, Player
from gameserver.rules.rulebook import Rulebook

JUDGEMENTS = frozenset({"ban", "lift_ban"})
"""What operators do to a player, who stays as he was, one version on."""


@dataclass(frozen=True, slots=True)
class Record:
    """An action, or a letter's rule, as the ledger keeps it; `args` is decoded JSON, `at` the moment's time."""

    action: str
    args: object
    seed: int
    at: datetime


def replay(rulebook: Rulebook, player: Player, records: Iterable[Record]) -> Player:
    """The player after these records: all that took effect, oldest first, under the rules of their time.

    Raises the GameError of the first record that the rules refuse: such a ledger isn't theirs.
    """
    for record in records:
        if record.action in JUDGEMENTS:
            player = player._replace(version=player.version + 1)
            continue
        args = rulebook.recorded(record.action, record.args)
        moment = Moment(record.at, Dice(record.seed), rulebook.game)
        player = rulebook.apply(record.action, player, args, moment).player
    return player
