"""How sure a ratio of two medians is, or their difference: a bootstrap interval. Pure; same figures, same interval.

Source: Efron and Tibshirani, An Introduction to the Bootstrap, chapter 13 (the percentile interval). With five figures
on each side it is about as wide as they lie apart, so what it calls different has hardly any overlap.
"""

from collections.abc import Callable, Sequence
from operator import sub, truediv
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

    @property
    def is_more(self) -> bool:
        """Whether the second median is the larger one."""
        return self.ratio > 1


class MedianDifference(NamedTuple):
    """By how much the second median is above the first, and the interval in which that lies."""

    difference: float
    low: float
    high: float

    @property
    def differs(self) -> bool:
        """Whether 0 lies outside the interval."""
        return not self.low <= 0 <= self.high

    @property
    def is_more(self) -> bool:
        """Whether the second median is the larger one."""
        return self.difference > 0


def ratio_of_medians(before: Sequence[float], after: Sequence[float], confidence: float) -> Ratio | None:
    """The ratio of `after` to `before`; None where a median of `before` may be 0, which has no ratio."""
    if not before or not after or min(before) <= 0:
        return None
    return Ratio(median(after) / median(before), *_interval(before, after, confidence, truediv))


def difference_of_medians(before: Sequence[float], after: Sequence[float], confidence: float) -> MedianDifference:
    """The difference of `after` from `before`; neither may be empty."""
    return MedianDifference(median(after) - median(before), *_interval(before, after, confidence, sub))


def _interval(
    before: Sequence[float], after: Sequence[float], confidence: float, compared: Callable[[float, float], float]
) -> tuple[float, float]:
    random = Random(0)
    drawn = sorted(compared(_resampled(after, random), _resampled(before, random)) for _ in range(RESAMPLES))
    cut = (1 - confidence) / 2
    return drawn[int(cut * RESAMPLES)], drawn[min(int((1 - cut) * RESAMPLES), RESAMPLES - 1)]


def _resampled(values: Sequence[float], random: Random) -> float:
    return median(random.choices(values, k=len(values)))
