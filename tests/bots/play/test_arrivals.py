"""Arrivals are a Poisson process at the plan's rates, the same for the same seed."""

from collections import Counter
from random import Random
from statistics import fmean, variance

import pytest

from bots.play.arrivals import moments
from bots.play.plan import RateStep, SwarmPlan


def drawn(*steps: RateStep, seed: int = 1) -> list[float]:
    return list(moments(steps, Random(seed)))


def test_the_same_seed_makes_the_same_arrivals() -> None:
    step = RateStep(10, 100)
    assert drawn(step) == drawn(step) != drawn(step, seed=2)


def test_a_constant_rate_has_as_many_arrivals_as_expected_and_a_poisson_variance() -> None:
    arrivals = drawn(RateStep(2000, 50))
    counts = Counter(int(at) for at in arrivals)
    per_second = [counts[second] for second in range(2000)]
    assert arrivals == sorted(arrivals)
    assert fmean(per_second) == pytest.approx(50, rel=0.02)
    assert variance(per_second) == pytest.approx(50, rel=0.12)


@pytest.mark.parametrize(("rate", "to"), [(0, 300), (300, 0), (100, 200)])
def test_a_ramp_is_a_straight_line(rate: float, to: float) -> None:
    arrivals = drawn(RateStep(100, rate, to))
    for quarter in range(4):
        expected = 25 * (rate + (to - rate) * (quarter + 0.5) / 4)
        measured = sum(25 * quarter <= at < 25 * (quarter + 1) for at in arrivals)
        assert measured == pytest.approx(expected, abs=5 * expected**0.5)


def test_steps_follow_each_other() -> None:
    arrivals = drawn(RateStep(10, 0), RateStep(10, 200), RateStep(10, 0), RateStep(10, 20))
    assert not [at for at in arrivals if at < 10 or 20 <= at < 30]
    assert len([at for at in arrivals if at < 20]) == pytest.approx(2000, rel=0.1)
    assert arrivals[-1] <= 40


@pytest.mark.parametrize(
    ("arrivals", "whole"),
    [
        ((RateStep(0, 50),), (RateStep(60, 50),)),
        ((RateStep(20, 50, 80),), (RateStep(20, 50, 80), RateStep(40, 80))),
        ((RateStep(20, 50), RateStep(0, 10, 90)), (RateStep(20, 50), RateStep(40, 10, 90))),
        ((RateStep(60, 50),), (RateStep(60, 50),)),
    ],
)
def test_the_last_rate_goes_on_to_the_end(arrivals: tuple[RateStep, ...], whole: tuple[RateStep, ...]) -> None:
    assert SwarmPlan(1, 60.0, 1.0, 0.0, 1, "bot", arrivals=arrivals).steps() == whole
