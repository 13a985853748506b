"""What a rule breaks only after many steps, or beside another one, is found; what keeps the laws passes each time."""

import itertools
import re
from collections.abc import Callable

import pytest

from gameserver.rules.arguments import Arguments, PlayerId
from gameserver.rules.errors import Refused
from gameserver.rules.player import Moment, Outcome, Player, changed
from gameserver.rules.rulebook import Rulebook
from gameserver.testing import GameKit
from tests.rules.samples import mapping

_counted = itertools.count()


class Nothing(Arguments):
    """No arguments."""


class Against(Arguments):
    """Another player."""

    other: PlayerId


def wins(player: Player, args: Against, _moment: Moment) -> Outcome:
    return Outcome(changed(player, data={**player.data, f"won:{args.other}": 1}), ())


def wins_by_chance(player: Player, args: Against, moment: Moment) -> Outcome:
    if moment.dice.chance(50):
        raise Refused("lost", "The other one won.")
    return wins(player, args, moment)


def writes_a_diary(player: Player, _args: Nothing, moment: Moment) -> Outcome:
    day = f"{player.data.get('diary', '')}{moment.now:%d.%m. }"
    return Outcome(changed(player, data={**player.data, "diary": day}), ())


def counts(player: Player, _args: Nothing, _moment: Moment) -> Outcome:
    times = player.data.get("visits", 0)
    assert isinstance(times, int)
    return Outcome(changed(player, data={**player.data, "visits": times + 1}), ())


def names(player: Player, _args: Nothing, _moment: Moment) -> Outcome:
    return Outcome(changed(player, data={**player.data, "visits": "many"}), ())


def remembers_elsewhere(player: Player, _args: Nothing, _moment: Moment) -> Outcome:
    events = ({"type": "counted", "number": next(_counted)},) if "met" in player.data else ()
    return Outcome(changed(player, data={**player.data, "met": True}), events)


def sulks(player: Player, _args: Nothing, _moment: Moment) -> Outcome:
    if player.data and next(_counted) % 2:
        raise Refused("sulking", "Not now.")
    return Outcome(changed(player, data={"met": True}), ())


def spends(player: Player, _args: Nothing, _moment: Moment) -> Outcome:
    if "visits" not in player.data:
        raise Refused("never_here", "Who are you?")
    return Outcome(player, ())


def explodes(player: Player, _args: Nothing, _moment: Moment) -> Outcome:
    raise ZeroDivisionError


def kit_with(*rules: Callable[..., Outcome]) -> GameKit:
    game = mapping()
    game["actions"] |= {rule.__name__: f"{__name__}:{rule.__name__}" for rule in rules}
    return GameKit(Rulebook.parse(game))


@pytest.mark.parametrize("rule", [wins, wins_by_chance, writes_a_diary])
def test_data_that_grows_with_what_happens_is_found(rule: Callable[..., Outcome]) -> None:
    with pytest.raises(AssertionError, match=r"after \d+ steps of a chain .*: data (has 33 names|takes \d+ bytes)"):
        kit_with(rule).check(rule.__name__, examples=60)


@pytest.mark.parametrize("rule", [counts, names])
def test_a_name_that_two_rules_use_for_different_things_is_found_by_either(rule: Callable[..., Outcome]) -> None:
    with pytest.raises(AssertionError, match=r"counts with .*visits\":\"many\".* raised AssertionError"):
        kit_with(counts, names).check(rule.__name__, examples=60)
    kit_with(rule).check(rule.__name__, examples=60)


def test_what_was_remembered_has_to_replay_too() -> None:
    for rule in (remembers_elsewhere, sulks):
        with pytest.raises(AssertionError, match="isn't a function of player, arguments and moment"):
            kit_with(rule).check(rule.__name__, examples=20)


def test_a_rule_that_needs_what_others_leave_takes_effect_in_a_chain() -> None:
    kit_with(spends, counts).check("spends", examples=20)
    refused = re.escape("spends took effect in none of ")
    with pytest.raises(AssertionError, match=rf"{refused}\d+ cases; it was refused: never_here"):
        kit_with(spends).check("spends", examples=20)
    kit_with(spends).check("spends", examples=20, data={"visits": 1})


def test_a_rule_that_breaks_by_itself_isnt_told_by_the_cases_of_others() -> None:
    kit_with(counts, explodes).check("counts", examples=20)


def test_the_same_game_has_the_same_chains() -> None:
    told = set()
    for _ in range(2):
        with pytest.raises(AssertionError) as raised:
            kit_with(wins).check("wins", examples=60)
        told.add(str(raised.value))
    assert len(told) == 1
