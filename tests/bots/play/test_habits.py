"""Each habit does what its name says, and a studio's own may do anything that the game knows."""

from collections import Counter
from random import Random

import pytest

from bots.play import habits
from bots.play.catalogue import Catalogue
from bots.play.choices import Chooser, hot
from bots.play.habits import READS, BadHabitError, Choice, OwnHabit, Situation
from bots.wire.bodies import State

TO_OTHERS = {"properties": {"player": {"type": "string"}}, "required": ["player"]}
ITEM = {"properties": {"item": {"type": "string"}}, "required": ["item"]}
ACTIONS = {"hunt": {}, "rest": {}, "revive": {}, "use": ITEM, "heal_other": TO_OTHERS, "duel": TO_OTHERS}
CATALOGUE = Catalogue(ACTIONS, ("priest",), (), words={"player": [str(number) for number in range(100)]})


def chosen(habit: str, hp: int = 100, owned: tuple[str, ...] = ()) -> Counter[str]:
    chooser = Chooser(CATALOGUE, Random(1), habits.named(habit))
    state = State(3, "priest", 1, hp, 100, 40)
    return Counter(chooser.choose(state, owned).name for _ in range(1000))


@pytest.mark.parametrize(
    ("habit", "hp", "owned", "mostly"),
    [
        ("grinder", 100, (), "hunt"),
        ("grinder", 0, (), "revive"),
        ("duellist", 100, (), "duel"),
        ("duellist", 20, (), "rest"),
        ("healer", 100, (), "heal_other"),
        ("shopper", 80, ("potion",), "use"),
        ("player", 100, (), "hunt"),
    ],
)
def test_a_habit_mostly_does_what_it_is_for(habit: str, hp: int, owned: tuple[str, ...], mostly: str) -> None:
    assert chosen(habit, hp, owned).most_common(1)[0][0] == mostly


def test_a_lurker_only_reads() -> None:
    assert chosen("lurker").keys() <= READS.keys()
    assert chosen("lurker", hp=0).keys() <= READS.keys()


def test_a_shopper_without_items_uses_none() -> None:
    assert "use" not in chosen("shopper", 80)


def test_few_players_are_hot() -> None:
    random, players = Random(1), [str(number) for number in range(1000)]
    drawn = Counter(hot(players, random) for _ in range(20_000))
    assert drawn["0"] > 0.05 * drawn.total()
    assert drawn["0"] > 1.5 * drawn["2"] > 3 * drawn["20"]
    assert hot(["7"], random) == "7"


def test_a_hot_habit_acts_on_the_hot_players() -> None:
    chooser = Chooser(CATALOGUE, Random(1), habits.named("hot"))
    state = State(3, "priest", 1, 100, 100, 40)
    choices = [chooser.choose(state) for _ in range(3000)]
    at = Counter(choice.args["player"] for choice in choices if choice.args and "player" in choice.args)
    assert at["0"] > 0.1 * at.total()


def collector(situation: Situation) -> Choice:
    """A habit of a studio's own."""
    return Choice("use", {"item": situation.owned[0]}) if situation.owned else Choice("hunt")


def test_a_studios_own_habit_is_a_function_of_the_situation() -> None:
    assert chosen(f"{__name__}:collector", owned=("herb",)) == {"use": 1000}
    assert chosen(f"{__name__}:collector") == {"hunt": 1000}


def test_a_habit_that_fails_is_named() -> None:
    habit = OwnHabit("mine", lambda _: 1 // 0)
    with pytest.raises(BadHabitError, match="the habit mine failed: ZeroDivisionError"):
        Chooser(CATALOGUE, Random(1), habit).choose(State(3, "priest", 1, 1, 1, 1))


@pytest.mark.parametrize("returned", [None, "hunt", Choice("fly")])
def test_a_habit_that_returns_what_the_game_does_not_know_is_refused(returned: object) -> None:
    habit = OwnHabit("mine", lambda _: returned)
    with pytest.raises(BadHabitError, match="mine"):
        Chooser(CATALOGUE, Random(1), habit).choose(State(3, "priest", 1, 1, 1, 1))
