"""What a bot does next, drawn by chance from what makes sense in the state that it was told last."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from bots.play import arguments
from bots.play.catalogue import Catalogue
from bots.wire.wire import State

READS = {"read": 6, "items": 2, "board": 3, "around": 3}
OUT_OF_TURN = 0.03
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
        """Draw the next thing to do; now and then out of turn, so that rules have something to refuse.

        `owned` are items of the player's.
        """
        weights = dict.fromkeys(self._catalogue.actions, 1)
        if self._random.random() >= OUT_OF_TURN:
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
    """Weigh an action for a state: what is sure to be refused weighs nothing."""
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
