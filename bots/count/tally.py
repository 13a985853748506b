"""What a swarm counts while it plays: latencies by action, answers by code, retries, gaps, connections.

The law: a latency runs from the moment an action was planned, not from when it could at last be sent, to its final
answer, retries included. So a stall of the server shows in every action that it delayed.
"""

from collections import Counter, defaultdict

from bots.count.latencies import Latencies
from bots.count.series import Series


class Tally:
    """The swarm's counters; times are in seconds of one clock.

    `acknowledged_in_time` are the actions acknowledged before the play ended. `hurt` counts actions, once each, by
    the worst that they met. `first` are the sockets of players who had none before, `again` those of the others.
    """

    def __init__(self) -> None:
        self.latencies: defaultdict[str, Latencies] = defaultdict(Latencies)
        self.acknowledged: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.happened: Counter[str] = Counter()
        self.hurt: Counter[str] = Counter()
        self.interruptions: defaultdict[str, Latencies] = defaultdict(Latencies)
        self.first, self.again = Series(), Series()
        self.unsent = 0
        self.acknowledged_in_time = 0
        self.longest_gap = 0.0
        self._recent = Latencies()
        self._last_acknowledged: float | None = None
        self._started = 0.0

    def start(self, now: float) -> None:
        """Begin the play: gaps are measured from here."""
        self._recent.clear()
        self._last_acknowledged = self._started = now

    def finish(self, now: float) -> None:
        """End the play: a gap that lasts until now counts too."""
        self._gap(now)
        self._last_acknowledged = None
        self.acknowledged_in_time = self.acknowledged.total() - self.acknowledged["sign_up"]

    def answered(self, name: str, planned: float, now: float) -> None:
        """Record a read that was planned at `planned` and answered now."""
        self.latencies[name].record(now - planned)
        self._recent.record(now - planned)

    def acknowledge(self, name: str, planned: float, now: float) -> None:
        """Record an acknowledged action."""
        self.answered(name, planned, now)
        self.acknowledged[name] += 1
        self._gap(now)

    def interrupted(self, cause: str, seconds: float) -> None:
        """Record how long a player went without an acknowledged action."""
        self.interruptions[cause].record(seconds)

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

    def recent_p99(self) -> float:
        """Return the p99 in seconds of what was answered since the last call, 0 when nothing was."""
        seconds = self._recent.at(99)
        self._recent.clear()
        return seconds

    def _gap(self, now: float) -> None:
        if self._last_acknowledged is not None:
            self.longest_gap = max(self.longest_gap, now - self._last_acknowledged)
            self._last_acknowledged = now
