"""Actions with faults, and one that repeats its argument."""

import time

from gameserver.rules.arguments import Arguments, MailArguments, PlayerId
from gameserver.rules.player import Letter, Moment, Outcome, Player, sends_mail


class Nothing(Arguments):
    """No arguments."""


class Hex(MailArguments):
    """A letter whose rule takes its time."""


class Ponder(Arguments):
    """For so long, in milliseconds."""

    milliseconds: int


class Beside(Arguments):
    """Another player."""

    player: PlayerId


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


ran: list[str] = []
"""Which slow rules have run, and in which order."""
stalls: list[tuple[str, float]] = []
"""What each next run of `hexed` does, and for how many seconds: `sleeps`, or `works`."""


def ponder(player: Player, args: Ponder, moment: Moment) -> Outcome:
    ran.append("ponder")
    time.sleep(args.milliseconds / 1000)
    return Outcome(player, ())


@sends_mail
def bewitch(player: Player, args: Beside, moment: Moment) -> Outcome:
    return Outcome(player, (), (Letter(int(args.player), "hexed", {}),))


def hexed(player: Player, args: Hex, moment: Moment) -> Outcome:
    ran.append("hexed")
    what, seconds = stalls.pop(0) if stalls else ("works", 0.0)
    if what == "sleeps":
        time.sleep(seconds)
    until = time.thread_time() + seconds
    while what == "works" and time.thread_time() < until:
        pass
    return Outcome(player, ())


def say(player: Player, args: Say, moment: Moment) -> Outcome:
    """An event that says how a character is written, which is no character."""
    return Outcome(player, ({"type": "said", "words": args.words + "\\u0000"},))
