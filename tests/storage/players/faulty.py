"""Actions with faults, and one that repeats its argument."""

from gameserver.rules.arguments import Arguments
from gameserver.rules.player import Moment, Outcome, Player


class Nothing(Arguments):
    """No arguments."""


class Say(Arguments):
    """Any words."""

    words: str


def explode(player: Player, args: Nothing, moment: Moment) -> Outcome:
    raise RuntimeError("the potion was a bomb")


def overheal(player: Player, args: Nothing, moment: Moment) -> Outcome:
    return Outcome(player._replace(hp=10**9), ())


def mumble(player: Player, args: Nothing, moment: Moment) -> Outcome:
    return Outcome(player, ({"type": "mumbled", "what": object()},))


def score_and_mumble(player: Player, args: Nothing, moment: Moment) -> Outcome:
    return Outcome(player, ({"type": "mumbled", "what": object()},), points=(("words", 1),))


def count_too_far(player: Player, args: Nothing, moment: Moment) -> Outcome:
    return Outcome(player, ({"type": "counted", "to": 2**70},))


def say(player: Player, args: Say, moment: Moment) -> Outcome:
    """An event may hold what a client's arguments may not."""
    return Outcome(player, ({"type": "said", "words": args.words + "\0\\u0000"},))
