"""Pauses are spread over their whole range, whose limit doubles with every failure."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from bots.wire.backoff import Backoff


@given(st.integers())
def test_a_pause_stays_within_a_limit_that_doubles_up_to_the_longest(seed: int) -> None:
    backoff = Backoff(Random(seed), 1.0, 4.0)
    for limit in (1, 2, 4, 4, 4):
        assert 0 <= backoff.next() <= limit
    backoff.reset()
    assert backoff.next() <= 1


def test_first_pauses_of_many_are_spread_over_their_whole_range() -> None:
    pauses = [Backoff(Random(seed), 1.0, 4.0).next() for seed in range(1000)]
    assert all(50 < sum(low <= pause * 10 < low + 1 for pause in pauses) < 150 for low in range(10))
