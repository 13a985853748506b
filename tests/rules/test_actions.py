"""The built-in actions do what they say."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameserver.rules.actions import Hunt, hunt, win_chance
from gameserver.rules.dice import Dice
from gameserver.rules.errors import Refused, UnknownFoe
from gameserver.rules.levels import EXP_CAP
from gameserver.rules.player import Moment, Outcome
from tests.rules.samples import CLASSES, FOES, LATER, RULEBOOK, play, players, sample_player

GAME = RULEBOOK.game
SEEDS = st.integers(0, 2**63 - 1)


def _code(attempt: Callable[[], object]) -> str:
    with pytest.raises(Refused) as caught:
        attempt()
    return caught.value.code


@given(players().filter(lambda player: player.hp > 0), st.sampled_from(FOES), SEEDS)
def test_a_hunt_takes_the_hp_and_gives_the_exp_in_its_event(player, foe, seed):
    outcome = play(player, "hunt", {"foe": foe}, seed)
    event = outcome.events[0]
    assert event["type"] == "hunted"
    assert event["foe"] == foe
    assert outcome.player.hp == player.hp - event["damage"]
    assert outcome.player.exp == player.exp + event["exp"]
    assert event["won"] or event["exp"] == 0
    assert 0 <= event["damage"] <= GAME.foes[foe].max_damage * GAME.classes[player.class_name].damage_taken // 100


@given(SEEDS)
def test_the_same_seed_gives_the_same_hunt(seed):
    player = sample_player("fighter")
    assert play(player, "hunt", {"foe": "wolf"}, seed) == play(player, "hunt", {"foe": "wolf"}, seed)


def test_a_hunt_with_a_given_seed_never_changes():
    outcome = play(sample_player("mage"), "hunt", {"foe": "wolf"}, seed=2026)
    assert outcome.events == ({"type": "hunted", "foe": "wolf", "won": False, "damage": 12, "exp": 0},)


def test_hunts_are_both_won_and_lost():
    ends = {play(sample_player(), "hunt", {"foe": "wolf"}, seed).events[0]["won"] for seed in range(50)}
    assert ends == {True, False}


def test_enough_damage_brings_a_player_down():
    outcome = play(sample_player("mage", hp=1), "hunt", {"foe": "dragon"})
    assert outcome.player.hp == 0
    assert outcome.events[-1] == {"type": "went_down"}


def test_enough_exp_raises_the_level():
    won = (play(sample_player(exp=49), "hunt", {"foe": "slime"}, seed) for seed in range(50))
    outcome = next(hunt for hunt in won if hunt.events[0]["won"])
    assert outcome.player.level == 2
    assert outcome.events[1:] == ({"type": "level_up", "level": 2},)


def test_exp_that_a_hunt_would_lift_above_the_cap_stays_at_it():
    player = sample_player(exp=EXP_CAP - 3)
    won = (play(player, "hunt", {"foe": "slime"}, seed) for seed in range(50))
    outcome = next(hunt for hunt in won if hunt.events[0]["won"])
    assert outcome.events[0]["exp"] == 3
    assert outcome.player.exp == EXP_CAP


@given(st.integers(1, 100), st.sampled_from(CLASSES), st.sampled_from(FOES))
def test_a_higher_level_is_never_a_lower_chance_to_win(level, class_name, foe):
    own, what, tuning = GAME.classes[class_name], GAME.foes[foe], GAME.tuning.hunt
    chance = win_chance(level, own, what, tuning)
    assert tuning.least_chance <= chance <= win_chance(level + 1, own, what, tuning) <= tuning.most_chance


def test_an_unknown_foe_that_passes_validation_is_still_refused():
    with pytest.raises(UnknownFoe):
        hunt(sample_player(), Hunt(foe="unicorn"), Moment(LATER, Dice(1), GAME))


@given(players())
def test_rest_gives_the_same_share_to_every_class_and_heal_depends_on_its_power(player):
    max_hp = GAME.max_hp(player.class_name, player.level)
    if not 0 < player.hp < max_hp:
        return
    rested = play(player, "rest").player.hp - player.hp
    assert rested == min(max(max_hp // 10, 1), max_hp - player.hp)
    healed = play(player, "heal").player.hp - player.hp
    assert 0 <= healed <= max_hp - player.hp


def test_a_priest_heals_more_than_a_warrior_with_the_same_dice():
    seed = next(candidate for candidate in range(50) if _healed("priest", candidate).events[0]["type"] == "healed")
    assert _healed("priest", seed).player.hp > _healed("warrior", seed).player.hp


def _healed(class_name: str, seed: int) -> Outcome:
    return play(sample_player(class_name, hp=1, exp=10_000), "heal", seed=seed)


def test_a_heal_sometimes_fizzles_and_then_changes_nothing_but_the_version():
    fizzled = next(outcome for outcome in (_healed("mage", seed) for seed in range(100)) if outcome.player.hp == 1)
    assert fizzled.events == ({"type": "heal_fizzled"},)
    assert fizzled.player.version == 2


@pytest.mark.parametrize("action", ["rest", "heal"])
def test_a_player_at_full_hp_can_neither_rest_nor_heal(action):
    assert _code(lambda: play(sample_player(), action)) == "full_hp"


def test_revive_raises_a_player_that_is_down_to_half_its_hp():
    outcome = play(sample_player(hp=0), "revive")
    assert outcome.player.hp == 55
    assert outcome.events == ({"type": "revived", "hp": 55},)


def test_a_player_that_is_up_cannot_be_revived():
    assert _code(lambda: play(sample_player(hp=1), "revive")) == "player_is_up"


def test_a_change_of_class_keeps_exp_and_level_and_cuts_hp_to_the_new_most():
    player = sample_player("warrior", exp=300)
    after = play(player, "change_class", {"class": "mage"}).player
    assert (after.class_name, after.exp, after.level) == ("mage", 300, 4)
    assert after.hp == GAME.max_hp("mage", 4) < player.hp
    assert after.exp_reached_at == player.exp_reached_at


@given(st.lists(st.sampled_from(CLASSES), max_size=10), st.integers(1, 100))
def test_changing_class_back_and_forth_gains_no_hp(classes, hp):
    player = sample_player(hp=hp, exp=500)
    for class_name in classes:
        if class_name != player.class_name:
            player = play(player, "change_class", {"class": class_name}).player
        assert 0 < player.hp <= hp


def test_the_present_class_cannot_be_chosen_again():
    assert _code(lambda: play(sample_player(exp=300), "change_class", {"class": "warrior"})) == "same_class"


def test_a_change_of_class_below_the_exp_needed_is_refused_and_names_that():
    with pytest.raises(Refused) as caught:
        play(sample_player(exp=299), "change_class", {"class": "mage"})
    assert caught.value.code == "not_enough_exp"
    assert caught.value.extra == {"min_exp": 300}
