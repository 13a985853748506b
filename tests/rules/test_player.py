"""A changed player is a player like any other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameserver.rules.levels import EXP_CAP
from gameserver.rules.player import Player, changed, settled
from tests.rules.samples import CLASSES, LATER, players, sample_player


@given(players(), st.integers(0, 2**31), st.integers(0, EXP_CAP), st.sampled_from(CLASSES))
def test_changing_a_player_is_the_same_as_replacing_fields(player, hp, exp, class_name):
    assert changed(player, hp=hp) == player._replace(hp=hp)
    assert changed(player, exp=exp) == player._replace(exp=exp)
    assert changed(player, class_name=class_name) == player._replace(class_name=class_name)
    assert changed(player) == player


@given(players(), st.integers(1, 100), st.integers(0, 2**31), st.integers(1, 2**31))
def test_settling_a_player_sets_only_the_fields_of_the_rulebook(player, level, hp, version):
    expected = player._replace(level=level, hp=hp, version=version, exp_reached_at=LATER)
    assert settled(player, level, hp, version, LATER) == expected


def test_hp_below_zero_becomes_zero_and_exp_above_its_cap_becomes_the_cap():
    player = changed(sample_player(), hp=-3, exp=EXP_CAP + 1)
    assert (player.hp, player.exp) == (0, EXP_CAP)


@pytest.mark.parametrize("make", [changed, lambda player: settled(player, 2, 1, 2, LATER)])
def test_a_changed_player_cannot_be_written_to(make):
    player = make(sample_player())
    assert type(player) is Player
    assert hash(player) == hash(player._replace())
    with pytest.raises(AttributeError):
        player.hp = 3  # type: ignore[misc]
