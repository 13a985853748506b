"""What a load measures: latencies of acknowledged answers inside a window, all others by code."""

import time
from array import array
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from bots.wire.wire import Kind, kind_of


@dataclass(frozen=True, slots=True)
class Result:
    """One mode's figures; `client_cpu` is the share of one core that the generator itself took."""

    mode: str
    per_second: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    count: int
    refused: dict[str, int]
    errors: dict[str, int]
    client_cpu: float

    def as_json(self) -> dict[str, Any]:
        """Return the figures as JSON-able values."""
        return asdict(self)


class Measure:
    """Counts what is answered in a window of `seconds` that starts `warm_up` seconds after `start`."""

    def __init__(self, warm_up: float, seconds: float) -> None:
        self._warm_up, self._seconds = warm_up, seconds
        self.begins = self.ends = 0.0
        self.latencies = array("d")
        self.refused: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self._cpu = 0.0

    def start(self) -> None:
        """Set the window: the first requests go out now."""
        self.begins = time.monotonic() + self._warm_up
        self.ends = self.begins + self._seconds
        self._cpu = time.process_time()

    def end(self) -> None:
        """Read the processor time when the window has ended."""
        self._cpu = (time.process_time() - self._cpu) / (self._warm_up + self._seconds)

    def count(self, sent: float, now: float) -> None:
        """Count an acknowledged answer to what was sent at `sent`."""
        if self.begins <= now < self.ends:
            self.latencies.append(now - sent)

    def fault(self, code: str, status: int | None) -> None:
        """Count an answer that isn't an acknowledgement: a rule's refusal, or an error."""
        refused = kind_of(code, status, None) is Kind.REFUSED
        (self.refused if refused else self.errors)[code] += 1

    def result(self, mode: str) -> Result:
        """Sum up."""
        ordered = sorted(self.latencies)
        p50, p99, most = (_at(ordered, share) for share in (0.5, 0.99, 1.0))
        rate = round(len(ordered) / self._seconds, 1)
        faults = dict(self.refused), dict(self.errors)
        return Result(mode, rate, p50, p99, most, len(ordered), *faults, client_cpu=round(self._cpu, 2))


def _at(ordered: list[float], share: float) -> float:
    """Return the latency in ms that this share of all stays within, 0 when there are none."""
    if not ordered:
        return 0.0
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000, 3)
