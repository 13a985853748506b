"""The game's own actions. `game.toml` names each under `[actions]`, as module:function.

A rule is a pure function of the player, its arguments and the moment. It reads no clock and takes chance from
`moment.dice` alone, so that replaying the ledger gives the same player.
"""

from gameserver.rules.arguments import Arguments
from gameserver.rules.player import Moment, Outcome, Player, changed


class Pray(Arguments):
    """The arguments that a client sends with `pray`: none."""


def pray(player: Player, _args: Pray, moment: Moment) -> Outcome:
    """Heals 1 to 6 HP, up to the player's maximum."""
    hp = min(player.hp + moment.dice.roll(1, 6), moment.game.max_hp(player.class_name, player.level))
    return Outcome(changed(player, hp=hp), ({"type": "prayed", "hp": hp - player.hp},))
