"""Rules that look at all that a player is besides its figures, and one that refuses by dice."""

from gameserver.rules.arguments import Arguments
from gameserver.rules.errors import Refused
from gameserver.rules.player import Moment, Outcome, Player, changed


class Nothing(Arguments):
    """No arguments."""


def by_version(player: Player, _args: Nothing, _moment: Moment) -> Outcome:
    """Gives EXP to who has an even version."""
    return Outcome(changed(player, exp=player.exp + (10 if player.version % 2 == 0 else 0)), ())


def by_name(player: Player, _args: Nothing, _moment: Moment) -> Outcome:
    """Gives as much EXP as the name is long."""
    return Outcome(changed(player, exp=player.exp + len(player.name)), ())


def by_rest(player: Player, _args: Nothing, moment: Moment) -> Outcome:
    """Gives EXP by how long those that there are have been so many, and since when the player is there."""
    waited = (moment.now - player.exp_reached_at) + (moment.now - player.created_at)
    return Outcome(changed(player, exp=player.exp + waited.microseconds % 1000), ())


def by_chance(player: Player, _args: Nothing, moment: Moment) -> Outcome:
    """Gives EXP, or refuses it."""
    if moment.dice.chance(50):
        raise Refused("no_luck", "Not this time.")
    return Outcome(changed(player, exp=player.exp + moment.dice.roll(1, 100)), ())
