"""What a bot does next, drawn at random from what makes sense in its latest state."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from bots.play import arguments
from bots.play.catalogue import Catalogue
from bots.wire.bodies import State

READS = {"read": 6, "items": 2, "board": 3, "around": 3}
AT_RANDOM = 0.03
OTHER_ACTION = 3


@dataclass(frozen=True, slots=True)
class Choice:
    """A read, or an action with its arguments; reads have none."""

    name: str
    args: Mapping[str, Any] | None


class Chooser:
    """Chooses for one bot; the same seed, states and catalogue give the same choices."""

    def __init__(self, catalogue: Catalogue, random: Random) -> None:
        self._catalogue = catalogue
        self._random = random

    def choose(self, state: State, owned: Sequence[str] = ()) -> Choice:
        """Draw the next thing to do; now and then at random, so that the rules have something to refuse.

        `owned` are the items that the player has.
        """
        weights = dict.fromkeys(self._catalogue.actions, 1)
        if self._random.random() >= AT_RANDOM:
            weights = {**{name: weigh(name, state) for name in self._catalogue.actions}, **READS}
        while any(weights.values()):
            name = self._random.choices([*weights], [*weights.values()])[0]
            args = self._arguments(name, state, owned)
            if args is not None or name in READS:
                return Choice(name, args)
            weights[name] = 0
        return Choice("read", None)

    def _arguments(self, name: str, state: State, owned: Sequence[str]) -> Mapping[str, Any] | None:
        if name in READS:
            return None
        words = dict(self._catalogue.words)
        words["foe"] = self._catalogue.foes[: max(2, state.level // 4 + 1)]
        words["item"] = owned
        try:
            return arguments.draw(self._catalogue.actions[name], words, self._random)
        except arguments.CannotFillError:
            return None


def weigh(name: str, state: State) -> int:
    """Return an action's weight in a state: 0 if it would certainly be refused."""
    if state.hp == 0:
        return 60 if name == "revive" else 0
    hurt = state.hp < state.max_hp
    weak = state.hp * 3 < state.max_hp
    match name:
        case "hunt":
            return 15 if weak else 60
        case "rest" | "heal" | "use":
            return hurt * (30 if weak else 6)
        case "revive":
            return 0
        case "change_class":
            return 2
        case "heal_other":
            return OTHER_ACTION if state.class_name == "priest" else 0
    return OTHER_ACTION
