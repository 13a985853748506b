"""Dice are repeatable, fair, and within their bounds."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameserver.rules.dice import Dice

SEEDS = st.integers(-(2**63), 2**64)


def test_the_generator_is_splitmix64():
    # the first values for seed 1234567 of the reference implementation (Vigna, splitmix64.c)
    dice = Dice(1234567)
    assert [dice.roll(0, 2**63 - 1) for _ in range(5)] == [
        value >> 1
        for value in (
            6457827717110365317,
            3203168211198807973,
            9817491932198370423,
            4593380528125082431,
            16408922859458223821,
        )
    ]


def test_a_seed_gives_the_same_rolls_for_ever():
    dice = Dice(42)
    assert [dice.roll(1, 6) for _ in range(12)] == [5, 1, 2, 3, 1, 6, 2, 5, 3, 4, 2, 3]
    assert [dice.chance(50) for _ in range(8)] == [False, False, False, True, True, True, True, False]


@given(SEEDS, st.integers(-(10**6), 10**6), st.integers(0, 10**6))
def test_a_roll_is_within_its_bounds(seed, low, width):
    assert low <= Dice(seed).roll(low, low + width) <= low + width


@given(SEEDS)
def test_a_roll_between_equal_bounds_is_that_number(seed):
    assert Dice(seed).roll(9, 9) == 9


def test_both_bounds_are_rolled():
    dice = Dice(5)
    assert {dice.roll(3, 5) for _ in range(100)} == {3, 4, 5}


@pytest.mark.parametrize(("low", "high"), [(2, 1), (0, 2**64)])
def test_an_empty_or_too_wide_range_is_refused(low, high):
    with pytest.raises(ValueError, match="can't roll"):
        Dice(1).roll(low, high)


def test_each_face_comes_up_about_equally_often():
    dice = Dice(2026)
    counts = Counter(dice.roll(1, 6) for _ in range(12_000))
    chi_squared = sum((counts[face] - 2_000) ** 2 / 2_000 for face in range(1, 7))
    assert chi_squared < 20.5  # 5 degrees of freedom, p = 0.001; the seed is fixed


def test_neighbouring_seeds_roll_independently():
    counts = Counter(Dice(seed).roll(1, 6) for seed in range(12_000))
    assert sum((counts[face] - 2_000) ** 2 / 2_000 for face in range(1, 7)) < 20.5


def test_a_wide_span_is_not_favoured_in_its_lower_part():
    # without the second draw, spans of 3/4 of 2^64 would hit every third number twice as often
    dice = Dice(9)
    span = 3 << 62
    thirds = Counter(dice.roll(0, span - 1) % 3 for _ in range(6_000))
    assert all(abs(thirds[third] - 2_000) < 150 for third in range(3))


@given(SEEDS)
def test_a_chance_of_0_never_and_of_100_always_succeeds(seed):
    assert not Dice(seed).chance(0)
    assert not Dice(seed).chance(-5)
    assert Dice(seed).chance(100)
    assert Dice(seed).chance(300)


def test_a_chance_succeeds_about_as_often_as_it_says():
    dice = Dice(7)
    assert 2_300 < sum(dice.chance(25) for _ in range(10_000)) < 2_700
