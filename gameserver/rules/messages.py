"""What operators send to players: a text, and items with it."""

from typing import Annotated

from pydantic import Field

from gameserver.rules.arguments import MailArguments
from gameserver.rules.errors import Refused
from gameserver.rules.items import Count
from gameserver.rules.player import Moment, Outcome, Player, allowed_when_down
from gameserver.rules.section import Key

MESSAGE = "message"
"""The rule of `[mail]` for it."""
LONGEST_MESSAGE, MOST_ITEMS = 1000, 20


class OperatorsMessage(MailArguments):
    """A letter of the operators. The server sends it, as player 0."""

    sender: Annotated[str, Field(pattern="^0$")]
    text: Annotated[str, Field(min_length=1, max_length=LONGEST_MESSAGE)]
    items: Annotated[dict[Key, Count], Field(max_length=MOST_ITEMS)] = Field(default_factory=dict)


@allowed_when_down
def message(player: Player, args: OperatorsMessage, moment: Moment) -> Outcome:
    """Gives what came with the letter. Refused: item_withdrawn, for an item that the game doesn't have any more."""
    if gone := sorted(set(args.items) - set(moment.game.items)):
        raise Refused("item_withdrawn", f"The game has no {', '.join(gone)} any more.")
    return Outcome(player, ({"type": "message"},), grants=tuple(sorted(args.items.items())))
