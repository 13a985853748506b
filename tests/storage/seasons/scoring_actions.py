"""Actions that score whatever they are told to."""

from typing import Annotated

from pydantic import Field

from gameserver.rules.arguments import Arguments
from gameserver.rules.player import Moment, Outcome, Player, changed


class Scored(Arguments):
    """Points of these names, and EXP."""

    points: Annotated[dict[str, int], Field(default_factory=dict)]
    exp: int = 0


def score(player: Player, args: Scored, moment: Moment) -> Outcome:
    return Outcome(changed(player, exp=player.exp + args.exp), (), points=tuple(args.points.items()))
