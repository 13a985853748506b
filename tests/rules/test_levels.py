"""The level curve rises, and its two directions agree."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameserver.rules.levels import EXP_CAP, Levels

CURVES = st.builds(Levels, base=st.integers(1, 10**9), max_level=st.integers(1, 1_000))


@pytest.mark.parametrize(("exp", "level"), [(0, 1), (49, 1), (50, 2), (149, 2), (150, 3), (299, 3), (300, 4)])
def test_a_level_begins_exactly_at_its_threshold(exp, level):
    assert Levels(base=50, max_level=100).level_of(exp) == level


@given(CURVES)
def test_thresholds_rise_strictly_from_zero_and_stay_below_the_cap(curve):
    assert curve.thresholds[0] == 0
    assert all(low < high for low, high in zip(curve.thresholds, curve.thresholds[1:], strict=False))
    assert curve.thresholds[-1] <= EXP_CAP


@given(CURVES, st.integers(0, EXP_CAP), st.integers(0, EXP_CAP))
def test_more_exp_is_never_a_lower_level(curve, one, other):
    assert curve.level_of(min(one, other)) <= curve.level_of(max(one, other))


@given(CURVES, st.data())
def test_the_level_is_the_highest_whose_threshold_is_reached(curve, data):
    exp = data.draw(st.integers(0, curve.thresholds[-1] * 2))
    level = curve.level_of(exp)
    assert curve.thresholds[level - 1] <= exp
    assert level == curve.max_level or exp < curve.thresholds[level]


@given(CURVES)
def test_no_exp_gives_more_than_the_highest_level(curve):
    assert curve.level_of(EXP_CAP) == curve.max_level
