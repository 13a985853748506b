"""The moments of an open load: a Poisson process whose rate is constant, jumps, or rises and falls in straight lines.

Source: a process of rate 1, its time stretched by the inverse of the integral of the rate, is one of that rate
(Çinlar, Introduction to Stochastic Processes, 1975); here that inverse is exact. Pure.
"""

import math
from collections.abc import Iterator, Sequence
from random import Random

from bots.play.plan import RateStep


def moments(steps: Sequence[RateStep], random: Random) -> Iterator[float]:
    """Yield the moments in seconds from 0, rising, up to the end of the last step."""
    starts, due = 0.0, random.expovariate(1.0)
    for step in steps:
        while due <= step.expected():
            yield starts + _moment(step, due)
            due += random.expovariate(1.0)
        due -= step.expected()
        starts += step.seconds


def _moment(step: RateStep, expected: float) -> float:
    """Return when so many arrivals are expected since the beginning of the step."""
    slope = (step.ends_at - step.rate) / step.seconds
    root = math.sqrt(max(0.0, step.rate**2 + 2 * slope * expected))
    return min(step.seconds, 2 * expected / (step.rate + root))
