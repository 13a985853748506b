"""What the screen shows at one moment, and the sums that it keeps over a run."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from bots.count.document import GeneratorSecond, RunSecond
from bots.count.operations import RunCounts

SHOWN_SECONDS = 60


@dataclass(slots=True)
class View:
    """The state of one run: `last` is the last whole second, `totals` the sum of the seconds after the warm-up.

    `rates` and `p99s` (in seconds) have a value for each of the last SHOWN_SECONDS.
    """

    title: str
    seconds: float
    warm_up: float
    phase: str = ""
    players: int = 0
    elapsed: float = 0.0
    last: RunCounts = field(default_factory=RunCounts)
    totals: RunCounts = field(default_factory=RunCounts)
    generators: list[GeneratorSecond] = field(default_factory=list)
    rates: deque[int] = field(default_factory=lambda: deque(maxlen=SHOWN_SECONDS))
    p99s: deque[float] = field(default_factory=lambda: deque(maxlen=SHOWN_SECONDS))
    notes: Sequence[str] = ()

    def take(self, second: RunSecond) -> None:
        """Take a second that is over."""
        self.last = second.counts
        together = second.counts.all()
        self.rates.append(together.planned.count)
        self.p99s.append(together.planned.at(99))
        if second.at >= self.warm_up:
            self.totals.add(second.counts)

    def recent(self, seconds: int) -> tuple[float, float]:
        """Return answers per second and the worst p99 in seconds, over the last seconds."""
        rates, p99s = list(self.rates)[-seconds:], list(self.p99s)[-seconds:]
        return sum(rates) / len(rates) if rates else 0.0, max(p99s, default=0.0)
