"""Every quantile comes from a histogram that is exact to three digits, and 0 when it is empty."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.count.latencies import Latencies


def recorded(*seconds: float) -> Latencies:
    latencies = Latencies()
    for value in seconds:
        latencies.record(value)
    return latencies


@given(st.lists(st.floats(min_value=1e-5, max_value=500), min_size=1), st.sampled_from([50, 95, 99, 100]))
def test_a_quantile_is_the_latency_at_its_rank(seconds: list[float], percentile: int) -> None:
    rank = max(1, int(percentile / 100 * len(seconds) + 0.5))
    assert recorded(*seconds).at(percentile) == pytest.approx(sorted(seconds)[rank - 1], rel=0.002, abs=2e-6)


def test_an_empty_histogram_has_only_zeros() -> None:
    empty = Latencies()
    assert (empty.count, empty.at(99), empty.shortest(), empty.longest()) == (0, 0.0, 0.0, 0.0)


def test_a_latency_out_of_range_counts_as_the_nearest_end() -> None:
    latencies = recorded(0.0, 10_000.0)
    assert latencies.count == 2
    assert latencies.shortest() == pytest.approx(1e-6)
    assert latencies.longest() == pytest.approx(600, rel=0.002)


def test_added_latencies_count_with_the_others() -> None:
    latencies = recorded(1.0)
    latencies.add(recorded(3.0))
    assert latencies.count == 2
    assert latencies.longest() == pytest.approx(3.0, rel=0.002)
    latencies.clear()
    assert latencies.count == 0


def test_packed_latencies_are_the_same_and_can_still_grow() -> None:
    latencies = recorded(1.0, 2.0)
    latencies.pack()
    assert [bucket.count for bucket in latencies.buckets()] == [1, 1]
    latencies.record(3.0)
    other = Latencies.from_text(latencies.as_text())
    assert other.count == 3
    assert other.longest() == pytest.approx(3.0, rel=0.002)
    assert other.mean() == pytest.approx(2.0, rel=0.002)


def test_histograms_of_other_digits_do_not_mix() -> None:
    with pytest.raises(ValueError, match="digits"):
        Latencies(2).add(Latencies(3))
