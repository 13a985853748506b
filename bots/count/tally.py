"""What a swarm counts while it plays: latencies by action, answers by code, retries, gaps, connections.

The law: a latency runs from the moment an action was planned, not from when it could at last be sent, to its final
answer, retries included. So a stall of the server shows in every action that it delayed.
"""

from collections import Counter, defaultdict
from typing import NamedTuple

from bots.count.health import GeneratorHealth
from bots.count.latencies import Latencies
from bots.count.recorder import RunRecorder
from bots.count.series import Series

GAVE_UP = "gave_up"


class OperationTiming(NamedTuple):
    """When an operation was planned, and when it was sent."""

    planned: float
    sent: float


class Tally:
    """The swarm's counters; times are in seconds of one clock.

    `acknowledged_in_time` are the actions acknowledged before the play ended. `hurt` counts actions, once each, by
    the worst that they met. `first` are the sockets of players who had none before, `again` those of the others.
    `recorder` has the same by second, and the health of this process.
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
        self.recorder, self.health = RunRecorder(), GeneratorHealth()
        self.unsent = 0
        self.acknowledged_in_time = 0
        self.longest_gap = 0.0
        self._last_acknowledged: float | None = None
        self._started = 0.0

    def start(self, now: float) -> None:
        """Begin the play: gaps are measured from here."""
        self._last_acknowledged = self._started = now
        self.recorder.start(now)

    def finish(self, now: float) -> None:
        """End the play: a gap that lasts until now counts too."""
        self._gap(now)
        self._last_acknowledged = None
        self.acknowledged_in_time = self.acknowledged.total() - self.acknowledged["sign_up"]

    def answered(self, name: str, timing: OperationTiming, now: float) -> None:
        """Record an answer to a read."""
        self.latencies[name].record(now - timing.planned)
        self.recorder.answered(name, timing.planned, timing.sent, now)

    def acknowledge(self, name: str, timing: OperationTiming, now: float) -> None:
        """Record an acknowledged action."""
        self.answered(name, timing, now)
        self.acknowledged[name] += 1
        self._gap(now)

    def refuse(self, name: str, code: str, timing: OperationTiming, now: float) -> None:
        """Record a rule's refusal."""
        self.refused[code] += 1
        self.recorder.answered(name, timing.planned, timing.sent, now, refusal=code)

    def fail(self, name: str, code: str, now: float) -> None:
        """Record an attempt that ended in neither of these."""
        self.errors[code] += 1
        self.recorder.failed(name, code, now)

    def give_up(self, name: str, now: float) -> None:
        """Record an operation that got no answer."""
        self.happened["gave up"] += 1
        self.recorder.failed(name, GAVE_UP, now)

    def leave_unsent(self, name: str, now: float, count: int = 1) -> None:
        """Record operations that were planned and never begun."""
        self.unsent += count
        self.recorder.unsent(name, now, count)

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

    def _gap(self, now: float) -> None:
        if self._last_acknowledged is not None:
            self.longest_gap = max(self.longest_gap, now - self._last_acknowledged)
            self._last_acknowledged = now
