"""What a load measures: latencies of successful answers inside a window, and all other answers by code."""

import asyncio
import time
from array import array
from collections import Counter
from dataclasses import dataclass
from typing import Any

from bots.count.latencies import Latencies
from bots.wire.answers import AnswerKind, kind_of


@dataclass(frozen=True, slots=True)
class LoadResult:
    """One mode's figures over `seconds`; `client_cpu` is the share of one core that the load generator itself used."""

    mode: str
    seconds: float
    latencies: Latencies
    refused: dict[str, int]
    errors: dict[str, int]
    client_cpu: float

    @property
    def per_second(self) -> float:
        """Successful answers per second."""
        return self.latencies.count / self.seconds

    def as_json(self) -> dict[str, Any]:
        """Return the figures as JSON values."""
        return {
            "mode": self.mode,
            "per_second": round(self.per_second, 1),
            "p50_ms": round(self.latencies.at(50) * 1000, 3),
            "p99_ms": round(self.latencies.at(99) * 1000, 3),
            "max_ms": round(self.latencies.longest() * 1000, 3),
            "count": self.latencies.count,
            "refused": self.refused,
            "errors": self.errors,
            "client_cpu": self.client_cpu,
        }


class Measure:
    """Counts the answers in a window of `seconds` that starts `warm_up` seconds after `start`.

    While the window is open a latency is only appended to an array; the histogram is filled afterwards.
    """

    def __init__(self, warm_up: float, seconds: float) -> None:
        self._warm_up, self._seconds = warm_up, seconds
        self.begins = self.ends = 0.0
        self.latencies = array("d")
        self.refused: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.started = asyncio.Event()
        self._cpu = 0.0

    def start(self) -> None:
        """Set the window: the first requests are sent now."""
        self.begins = time.monotonic() + self._warm_up
        self.ends = self.begins + self._seconds
        self._cpu = time.process_time()
        self.started.set()

    def end(self) -> None:
        """Read the processor time; call it when the window has ended."""
        self._cpu = (time.process_time() - self._cpu) / (self._warm_up + self._seconds)

    def count(self, sent: float, now: float) -> None:
        """Count a successful answer to a request that was sent at `sent`."""
        if self.begins <= now < self.ends:
            self.latencies.append(now - sent)

    def fault(self, code: str, status: int | None) -> None:
        """Count an answer that isn't a success: a rule's refusal, or an error."""
        refused = kind_of(code, status, None) is AnswerKind.REFUSED
        (self.refused if refused else self.errors)[code] += 1

    def result(self, mode: str) -> LoadResult:
        """Return the figures of the window."""
        latencies = Latencies()
        for seconds in self.latencies:
            latencies.record(seconds)
        return LoadResult(
            mode, self._seconds, latencies, dict(self.refused), dict(self.errors), client_cpu=round(self._cpu, 2)
        )
