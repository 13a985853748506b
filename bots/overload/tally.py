"""What is counted at one door under load: treatments, latencies, and what broke the promise.

Law: a latency runs from the moment for which a question was planned; the time of service runs from when it was sent.
The deadline is held against the time of service, less the time for which this client itself was away: it shares the
machine with the servers.
"""

import time
from array import array
from collections import Counter
from collections.abc import Iterable

from bots.count.latencies import Latencies
from bots.overload.questions import DoorQuestion, Heard, Treatment

LATE_SECONDS = 0.05
"""What is sent so much later than planned counts as late."""
TOLD = 5
"""Faults of a kind that are told."""


class DoorTally:
    """One door's counters; `own_lag` is the longest time for which the client's loop was away, in seconds.

    `heard` has all answers if the tally `keeps` them.
    """

    def __init__(self, deadline: float, *, keeps: bool = False) -> None:
        self.deadline = deadline
        self.keeps = keeps
        self.started = time.monotonic()
        self.planned = self.sent = self.late = self.unsent = self.held_back = 0
        self.treatments: Counter[Treatment] = Counter()
        self.codes: Counter[str] = Counter()
        self.heard: list[tuple[DoorQuestion, Heard]] = []
        self.own_lag = 0.0
        self._latencies = {True: array("d"), False: array("d")}
        self._services = {True: array("d"), False: array("d")}
        self._faults: list[tuple[float, str, str]] = []
        self._slow: list[tuple[float, float, str]] = []

    def send(self, question: DoorQuestion, now: float) -> None:
        """Count a question that is sent now."""
        self.sent += 1
        self.late += now - question.planned > LATE_SECONDS

    def hear(self, question: DoorQuestion, heard: Heard) -> None:
        """Count an answer."""
        now = time.monotonic()
        good, service = heard.treatment in (Treatment.ANSWERED, Treatment.REFUSED), now - question.sent
        self.treatments[heard.treatment] += 1
        if self.keeps:
            self.heard.append((question, heard))
        self._latencies[good].append(now - question.planned)
        self._services[good].append(service)
        if heard.code:
            self.codes[heard.code] += 1
        if service > self.deadline:
            self._slow.append((question.sent, service, heard.code or "answered"))
        if heard.treatment is Treatment.BROKEN:
            self._faults.append((question.sent, heard.code, f"was answered with {heard.code}"))

    def lose(self, question: DoorQuestion, reason: str) -> None:
        """Count a question that gets no answer."""
        self.treatments[Treatment.BROKEN] += 1
        waited = time.monotonic() - question.sent
        self._faults.append((question.sent, reason, f"got no answer in {waited:.1f} s: {reason}"))

    def faults(self) -> list[str]:
        """Return what broke the promise: for each kind its number and the first ones, in the order of time."""
        allowed = self.deadline + 2 * self.own_lag
        slow = [
            (sent, "late", f"was answered ({code}) after {service:.1f} s; {self.deadline:.1f} s are promised")
            for sent, service, code in self._slow
            if service > allowed
        ]
        return list(_told(sorted([*self._faults, *slow]), self.started))

    def latencies(self, *, good: bool, from_planned: bool) -> Latencies:
        """Return the latencies from when it was planned or sent, of good answers or of all others."""
        latencies = Latencies()
        for seconds in (self._latencies if from_planned else self._services)[good]:
            latencies.record(seconds)
        return latencies


def _told(faults: Iterable[tuple[float, str, str]], started: float) -> Iterable[str]:
    by_kind: dict[str, list[str]] = {}
    for sent, kind, sentence in faults:
        by_kind.setdefault(kind, []).append(f"sent after {sent - started:.2f} s, {sentence}")
    for kind, sentences in by_kind.items():
        yield from sentences[:TOLD]
        if len(sentences) > TOLD:
            yield f"and {len(sentences) - TOLD:,} more: {kind}"
