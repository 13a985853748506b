"""An action and a letter of a studio whose players write to each other."""

from gameserver.rules.arguments import Arguments, MailArguments, PlayerId
from gameserver.rules.player import Letter, Moment, Outcome, Player, sends_mail


class Whisper(Arguments):
    """Something for another player to read."""

    player: PlayerId
    text: str


class Whispered(MailArguments):
    """Something to read arrives."""

    text: str


@sends_mail
def whisper(player: Player, args: Whisper, moment: Moment) -> Outcome:
    return Outcome(player, (), (Letter(int(args.player), "whispered", {"text": args.text}),))


def whispered(player: Player, args: Whispered, moment: Moment) -> Outcome:
    return Outcome(player, ({"type": "whispered", "text": args.text},))
