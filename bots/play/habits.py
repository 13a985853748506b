"""What kinds of players there are: each habit draws what its player does next from its state. Pure.

`player` does a bit of everything. A studio adds its own as a function, `module:function` in a plan, that takes a
Situation and returns a Choice (docs/bots.md).
"""

import importlib
import inspect
from bisect import bisect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random
from typing import Any, NamedTuple, Protocol

from bots.play.catalogue import Catalogue
from bots.play.plan import EVERYDAY
from bots.wire.bodies import State

READS = {"read": 6, "items": 2, "board": 3, "around": 3}
AT_RANDOM = 0.03
OTHER_ACTION = 3
Weigh = Callable[[str, State], int]


class BadHabitError(ValueError):
    """A habit isn't known, or a function of a studio's own isn't one; the text says which and why."""


class Choice(NamedTuple):
    """A read, or an action with its arguments; reads have none.

    An action whose arguments are None gets arguments drawn from its schema.
    """

    name: str
    args: Mapping[str, Any] | None = None


class Situation(NamedTuple):
    """What a player knows when it decides: its state, the items that it has, and what the game offers.

    `random` is the only chance that a habit may use, so that a seed tells what happens.
    """

    state: State
    owned: Sequence[str]
    catalogue: Catalogue
    random: Random


class Habit(Protocol):
    """One kind of player. Of a `skewed` one the other players whom it acts on are a few hot ones, by Zipf's law."""

    @property
    def name(self) -> str:
        """Its name in a plan."""

    @property
    def class_name(self) -> str | None:
        """The class that its players have; None for any."""

    @property
    def skewed(self) -> bool:
        """Whether it acts on a few hot players."""

    def choose(self, situation: Situation, without: frozenset[str]) -> Choice:
        """Draw the next thing to do, but none of `without`, whose arguments can't be filled now."""


@dataclass(frozen=True, slots=True)
class WeightedHabit:
    """Draws from the game's actions and the reads by their weights in a state; 0 is never."""

    name: str
    weigh: Weigh
    reads: Mapping[str, int]
    class_name: str | None = None
    skewed: bool = False
    at_random: float = 0.0
    """The share of choices among all actions alike, so that the rules have something to refuse."""

    def choose(self, situation: Situation, without: frozenset[str]) -> Choice:
        """Draw the next thing to do."""
        random = situation.random
        if self.at_random and random.random() < self.at_random:
            names = [name for name in situation.catalogue.actions if name not in without]
            return Choice(random.choice(names) if names else "read")
        names, sums = self._table(situation, without)
        return Choice(names[bisect(sums, random.random() * sums[-1])] if names else "read")

    def _table(self, situation: Situation, without: frozenset[str]) -> tuple[list[str], list[int]]:
        """Return what may be drawn, and the running sums of the weights; the same for all players in like states."""
        state, catalogue = situation.state, situation.catalogue
        key = (self.name, state.hp == 0, state.hp < state.max_hp, state.hp * 3 < state.max_hp, state.class_name)
        table = catalogue.tables.get(key) if not without else None
        if table is None:
            weights = {name: self.weigh(name, state) for name in catalogue.actions}
            weights.update(self.reads)
            allowed = {name: weight for name, weight in weights.items() if weight and name not in without}
            table = [*allowed], [*accumulate(allowed.values())]
            if not without:
                catalogue.tables[key] = table
        return table


@dataclass(frozen=True, slots=True)
class OwnHabit:
    """A studio's own habit: a function of a Situation."""

    name: str
    function: Callable[[Situation], Any]
    class_name: str | None = None
    skewed: bool = False

    def choose(self, situation: Situation, without: frozenset[str]) -> Choice:
        """Ask the function; raises BadHabitError if it fails or doesn't return a Choice that the game knows."""
        try:
            choice = self.function(situation)
        except Exception as error:
            raise BadHabitError(f"the habit {self.name} failed: {error!r:.200}") from error
        if not isinstance(choice, Choice) or choice.name not in {*READS, *situation.catalogue.actions}:
            raise BadHabitError(f"the habit {self.name} returned {choice!r:.100}, not a Choice of what the game knows")
        return Choice("read") if choice.name in without else choice


def weigh(name: str, state: State) -> int:
    """Return an action's weight in a state for an everyday player: 0 if it would certainly be refused."""
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


def _mostly(weights: Mapping[str, int]) -> Weigh:
    """Do mostly this; rest when weak, and be revived when down, as everybody."""

    def weigh_mostly(name: str, state: State) -> int:
        if state.hp == 0 or (state.hp * 3 < state.max_hp and name in ("hunt", "rest", "heal", "duel")):
            return weigh(name, state)
        return weights.get(name, 0)

    return weigh_mostly


def _nothing(_name: str, _state: State) -> int:
    return 0


BUILT_IN: Mapping[str, Habit] = {
    habit.name: habit
    for habit in (
        WeightedHabit(EVERYDAY, weigh, READS, at_random=AT_RANDOM),
        WeightedHabit("grinder", _mostly({"hunt": 97, "rest": 3}), {"read": 2}),
        WeightedHabit("duellist", _mostly({"duel": 60, "hunt": 20}), {"read": 5, "around": 5}),
        WeightedHabit("healer", _mostly({"heal_other": 60, "rest": 30, "hunt": 10}), {"read": 5}, class_name="priest"),
        WeightedHabit("lurker", _nothing, {"read": 4, "board": 4, "around": 4, "items": 1}),
        WeightedHabit("shopper", _mostly({"use": 40, "hunt": 40}), {"items": 20}),
        WeightedHabit("hot", _mostly({"heal_other": 30, "duel": 30, "hunt": 20}), {"read": 5}, skewed=True),
    )
}


def named(name: str) -> Habit:
    """Return a habit by its name, or a studio's own by `module:function`; raises BadHabitError."""
    if name in BUILT_IN:
        return BUILT_IN[name]
    module_name, colon, function_name = name.partition(":")
    if not colon:
        raise BadHabitError(f"there is no habit {name!r}: there are {', '.join(BUILT_IN)}, and module:function")
    try:
        function = getattr(importlib.import_module(module_name), function_name)
    except (ImportError, AttributeError, ValueError) as error:
        raise BadHabitError(f"the habit {name!r} can't be loaded: {error}") from error
    except Exception as error:
        raise BadHabitError(f"the habit {name!r} can't be loaded: {error!r}") from error
    if not callable(function):
        raise BadHabitError(f"the habit {name!r} isn't a function")
    if not _takes_a_situation(function):
        raise BadHabitError(f"the habit {name!r} isn't a plain function of one Situation")
    return OwnHabit(name, function)


def _takes_a_situation(function: Callable[..., object]) -> bool:
    if inspect.iscoroutinefunction(function):
        return False
    try:
        inspect.signature(function).bind(None)
    except TypeError:
        return False
    except ValueError:  # it doesn't tell what it takes
        return True
    return True
