"""How sure a ratio of two medians is: a bootstrap interval. Pure; the same figures give the same interval.

Source: Efron and Tibshirani, An Introduction to the Bootstrap, chapter 13 (the percentile interval). With five figures
on each side it is about as wide as they lie apart, so what it calls different has hardly any overlap.
"""

from collections.abc import Sequence
from random import Random
from statistics import median
from typing import NamedTuple

RESAMPLES = 4000


class Ratio(NamedTuple):
    """The ratio of two medians, and the interval in which it lies with the given confidence."""

    ratio: float
    low: float
    high: float

    @property
    def differs(self) -> bool:
        """Whether 1 lies outside the interval."""
        return not self.low <= 1 <= self.high


def ratio_of_medians(before: Sequence[float], after: Sequence[float], confidence: float) -> Ratio | None:
    """The ratio of `after` to `before`; None where a median of `before` is 0, which has no ratio."""
    random = Random(0)
    if not before or not after or min(before) <= 0:
        return None
    drawn = sorted(_resampled(after, random) / _resampled(before, random) for _ in range(RESAMPLES))
    cut = (1 - confidence) / 2
    low, high = drawn[int(cut * RESAMPLES)], drawn[min(int((1 - cut) * RESAMPLES), RESAMPLES - 1)]
    return Ratio(median(after) / median(before), low, high)


def _resampled(values: Sequence[float], random: Random) -> float:
    return median(random.choices(values, k=len(values)))
