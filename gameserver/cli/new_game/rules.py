"""The game's own actions. `game.toml` names each under `[actions]`; docs/ of heroledger says what a rule can do.

A rule is a pure function of the player, its arguments and the moment: it reads no clock and draws chance from
`moment.dice` alone, so that replaying the ledger gives the same player.
"""

from gameserver.rules.arguments import Arguments
from gameserver.rules.errors import Refused
from gameserver.rules.player import Moment, Outcome, Player, changed


class Pray(Arguments):
    """What a client sends with `pray`: nothing."""


def pray(player: Player, _args: Pray, moment: Moment) -> Outcome:
    """Gives 1 to 6 HP. Refused: full_hp."""
    max_hp = moment.game.max_hp(player.class_name, player.level)
    if player.hp >= max_hp:
        raise Refused("full_hp", "The player is at full HP.")
    hp = min(player.hp + moment.dice.roll(1, 6), max_hp)
    return Outcome(changed(player, hp=hp), ({"type": "prayed", "hp": hp - player.hp},))
