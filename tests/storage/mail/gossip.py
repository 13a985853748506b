"""Actions and letters of a studio whose players never stop talking, and one whose letters go wrong."""

from gameserver.rules.arguments import Arguments, MailArguments, PlayerId
from gameserver.rules.player import Letter, Moment, Outcome, Player, sends_mail


class Say(Arguments):
    """Something to another player."""

    player: PlayerId


class Said(MailArguments):
    """Something arrives."""


@sends_mail
def gossip(player: Player, args: Say, moment: Moment) -> Outcome:
    return Outcome(player, (), (Letter(int(args.player), "gossiped", {}),))


def gossiped(player: Player, args: Said, moment: Moment) -> Outcome:
    """Answers every time."""
    return Outcome(player, (), (Letter(int(args.sender), "gossiped", {}),))


@sends_mail
def curse(player: Player, args: Say, moment: Moment) -> Outcome:
    return Outcome(player, (), (Letter(int(args.player), "cursed", {}),))


def cursed(player: Player, args: Said, moment: Moment) -> Outcome:
    raise RuntimeError("the curse was a bomb")


@sends_mail
def shout(player: Player, args: Say, moment: Moment) -> Outcome:
    """Eight letters to one."""
    return Outcome(player, (), (Letter(int(args.player), "duelled", {"won": True, "level": 1}),) * 8)
