"""Latencies in a histogram, from which every quantile of the bots' reports is read."""

from hdrh.histogram import HdrHistogram

LONGEST_MICROSECONDS = 600_000_000


class Latencies:
    """A histogram from 1 µs to 10 min, exact to three digits; a latency outside that range counts as its nearest end.

    Times go in and come out in seconds. Of an empty histogram every figure is 0.
    """

    def __init__(self) -> None:
        self._histogram = HdrHistogram(1, LONGEST_MICROSECONDS, 3)

    @property
    def count(self) -> int:
        """How many latencies were recorded."""
        return int(self._histogram.get_total_count())

    def record(self, seconds: float) -> None:
        """Count one latency."""
        self._histogram.record_value(min(max(1, round(seconds * 1e6)), LONGEST_MICROSECONDS))

    def add(self, other: "Latencies") -> None:
        """Count all of another histogram's latencies too."""
        self._histogram.add(other._histogram)

    def at(self, percentile: float) -> float:
        """Return the latency whose rank is `percentile` in a hundred of all, rounded to a whole rank."""
        return float(self._histogram.get_value_at_percentile(percentile)) / 1e6 if self.count else 0.0

    def shortest(self) -> float:
        """Return the shortest latency."""
        return float(self._histogram.get_min_value()) / 1e6 if self.count else 0.0

    def longest(self) -> float:
        """Return the longest latency."""
        return float(self._histogram.get_max_value()) / 1e6 if self.count else 0.0

    def clear(self) -> None:
        """Forget everything."""
        self._histogram.reset()
