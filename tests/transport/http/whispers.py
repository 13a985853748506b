"""Actions and a letter of a studio whose players write to each other, and whose rules remember what they say."""

from gameserver.rules.arguments import Arguments, MailArguments, PlayerId
from gameserver.rules.errors import Refused
from gameserver.rules.player import Letter, Moment, Outcome, Player, changed, sends_mail


class Whisper(Arguments):
    """Something for another player to read."""

    player: PlayerId
    text: str


class Whispered(MailArguments):
    """Something to read arrives."""

    text: str


class Muttered(Arguments):
    """Something that nobody hears."""

    text: str


@sends_mail
def whisper(player: Player, args: Whisper, moment: Moment) -> Outcome:
    return Outcome(player, (), (Letter(int(args.player), "whispered", {"text": args.text}),))


def whispered(player: Player, args: Whispered, moment: Moment) -> Outcome:
    said = {"text": args.text, "from": args.text, "kind": args.text}
    return Outcome(player, ({"type": "whispered", **said, "nested": {"text": args.text}},))


def remember(player: Player, args: Muttered, moment: Moment) -> Outcome:
    return Outcome(changed(player, data={"diary": args.text}), ({"type": "remembered", "text": args.text},))


def mutter(player: Player, args: Muttered, moment: Moment) -> Outcome:
    raise Refused("not_heard", f"Nobody hears {args.text}.")
