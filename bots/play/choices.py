"""What a bot does next: its habit draws it, and its arguments are drawn from the schema that the server publishes."""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from bots.play import arguments
from bots.play.catalogue import Catalogue
from bots.play.habits import BUILT_IN, READS, Choice, Habit, Situation
from bots.play.plan import EVERYDAY
from bots.wire.bodies import State

NOTHING: frozenset[str] = frozenset()


class Chooser:
    """Chooses for one bot; the same seed, states and catalogue give the same choices."""

    def __init__(self, catalogue: Catalogue, random: Random, habit: Habit = BUILT_IN[EVERYDAY]) -> None:
        self._catalogue = catalogue
        self._random = random
        self._habit = habit

    def choose(self, state: State, owned: Sequence[str] = ()) -> Choice:
        """Draw the next thing to do, a read without arguments or an action with them.

        `owned` are the items that the player has. Raises BadHabitError.
        """
        situation, without = Situation(state, owned, self._catalogue, self._random), NOTHING
        while True:
            choice = self._habit.choose(situation, without)
            if choice.name in READS or choice.args is not None:
                return choice
            args = self._arguments(choice.name, state, owned)
            if args is not None:
                return Choice(choice.name, args)
            without |= {choice.name}

    def _arguments(self, name: str, state: State, owned: Sequence[str]) -> Mapping[str, Any] | None:
        def words(argument: str) -> Sequence[str]:
            return self._words(argument, state, owned)

        try:
            return arguments.draw(self._catalogue.required_of(name), words, self._random)
        except arguments.CannotFillError:
            return None

    def _words(self, argument: str, state: State, owned: Sequence[str]) -> Sequence[str]:
        """Return the values from which a free argument is drawn."""
        if argument == "foe":
            return self._catalogue.foes[: max(2, state.level // 4 + 1)]
        if argument == "item":
            return owned
        known = self._catalogue.words.get(argument, ())
        return (hot(known, self._random),) if known and argument == "player" and self._habit.skewed else known


def hot(players: Sequence[str], random: Random) -> str:
    """Draw a player by Zipf's law with exponent 1: the nth as often as 1/n; it is exact enough to make a few hot."""
    return players[min(len(players) - 1, int(len(players) ** random.random()) - 1)]
