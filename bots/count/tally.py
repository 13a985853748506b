"""What a swarm counts while it plays: latencies by action, answers by code, retries, silences, connections.

Latency runs from the moment an action was planned, not from when it could at last be sent (so a stall is felt
by every action that it delayed), to its final answer, retries included.
"""

from collections import Counter
from typing import Any

from hdrh.histogram import HdrHistogram

from bots.count.series import Series

LONGEST_MICROSECONDS = 600_000_000


def new_histogram() -> Any:
    """Make a histogram of microseconds, 1 µs to 10 min, exact to three digits."""
    return HdrHistogram(1, LONGEST_MICROSECONDS, 3)


def record(histogram: Any, seconds: float) -> None:
    """Put one latency into a histogram, clipped to its range."""
    histogram.record_value(min(max(1, round(seconds * 1e6)), LONGEST_MICROSECONDS))


class Tally:
    """The swarm's counters; times are in seconds of one clock, `in_time` is what was acknowledged while playing.

    `hurt` counts actions, once each, by the worst that they met; `first` and `again` are sockets of those who had
    none before and of those who had.
    """

    def __init__(self) -> None:
        self.latencies: dict[str, Any] = {}
        self.acknowledged: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.happened: Counter[str] = Counter()
        self.hurt: Counter[str] = Counter()
        self.interruptions: dict[str, Any] = {}
        self.first, self.again = Series(), Series()
        self.unsent = 0
        self.in_time = 0
        self.longest_gap = 0.0
        self._second = new_histogram()
        self._last_acknowledged: float | None = None
        self._started = 0.0

    def start(self, now: float) -> None:
        """Begin the play: gaps are measured from here."""
        self._second.reset()
        self._last_acknowledged = self._started = now

    def finish(self, now: float) -> None:
        """End the play: a silence that lasts until now counts as a gap."""
        self._gap(now)
        self._last_acknowledged = None
        self.in_time = self.acknowledged.total() - self.acknowledged["sign_up"]

    def answered(self, name: str, planned: float, now: float) -> None:
        """Record a read that was planned at `planned` and answered now."""
        if name not in self.latencies:
            self.latencies[name] = new_histogram()
        record(self.latencies[name], now - planned)
        record(self._second, now - planned)

    def acknowledge(self, name: str, planned: float, now: float) -> None:
        """Record an acknowledged action."""
        self.answered(name, planned, now)
        self.acknowledged[name] += 1
        self._gap(now)

    def interrupted(self, cause: str, seconds: float) -> None:
        """Record how long a player went without an acknowledged action."""
        if cause not in self.interruptions:
            self.interruptions[cause] = new_histogram()
        record(self.interruptions[cause], seconds)

    @property
    def playing(self) -> bool:
        """Whether the play has begun and not ended."""
        return self._last_acknowledged is not None

    def errors_seen(self) -> int:
        """Return how often anything went wrong: attempts without a good answer, actions hurt, requests given up."""
        return self.errors.total() + self.hurt.total() + self.happened["gave up"]

    def since_start(self, now: float) -> float:
        """Return the seconds since the play began."""
        return now - self._started

    def last_p99(self) -> float:
        """Return the p99 in seconds of what was answered since the last call, 0 when nothing was."""
        value = self._second.get_value_at_percentile(99) / 1e6 if self._second.get_total_count() else 0.0
        self._second.reset()
        return float(value)

    def _gap(self, now: float) -> None:
        if self._last_acknowledged is not None:
            self.longest_gap = max(self.longest_gap, now - self._last_acknowledged)
            self._last_acknowledged = now
