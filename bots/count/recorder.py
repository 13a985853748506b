"""Counts a run second by second while it goes on; only the present second is unpacked in memory.

Law: an operation counts in the second in which it ended, and nothing counts before `start`.
"""

from bots.count.document import RunSecond
from bots.count.operations import LATE_SECONDS, RunCounts


class RunRecorder:
    """The seconds of a run; times are in seconds of one clock."""

    def __init__(self) -> None:
        self.seconds: list[RunSecond] = []
        self.started: float | None = None
        self.present = RunCounts()
        self._at = 0
        self._ends = 0.0

    def start(self, now: float) -> None:
        """Begin the first second."""
        self.started, self._ends = now, now + 1
        self.seconds, self.present, self._at = [], RunCounts(), 0

    def answered(self, name: str, planned: float, sent: float, now: float, refusal: str = "") -> None:
        """Count an operation that got its answer, a success or the rule's `refusal`."""
        counts = self._counts(now).of(name)
        counts.planned.record(now - planned)
        counts.service.record(now - sent)
        if refusal:
            counts.refused[refusal] += 1
        else:
            counts.ok += 1

    def failed(self, name: str, code: str, now: float) -> None:
        """Count an attempt that got no such answer."""
        self._counts(now).of(name).errors[code] += 1

    def begun(self, name: str, planned: float, now: float) -> None:
        """Count an operation that is sent only now, if that is late."""
        if now - planned > LATE_SECONDS:
            self._counts(now).of(name).late += 1

    def unsent(self, name: str, now: float, count: int = 1) -> None:
        """Count operations that were planned and never begun."""
        self._counts(now).of(name).unsent += count

    def came_from(self, node: str, now: float) -> None:
        """Count an answer of a node."""
        self._counts(now).nodes[node] += 1

    def took_place(self, database: str, now: float) -> None:
        """Count an answer that a database was needed for."""
        self._counts(now).databases[database] += 1

    def finish(self) -> None:
        """End the last second."""
        if self.started is not None:
            self._close()
            self.started = None

    def _counts(self, now: float) -> RunCounts:
        """Return the counts of the second that it is now; without a start those of nobody."""
        if now < self._ends:
            return self.present
        if self.started is None:
            return RunCounts()
        self._close()
        at = int(now - self.started)
        self.seconds += [RunSecond(silent, RunCounts()) for silent in range(self._at + 1, at)]
        self._at = at
        self._ends = self.started + self._at + 1
        return self.present

    def _close(self) -> None:
        self.seconds.append(RunSecond(self._at, self.present))
        if len(self.seconds) > 1:
            self.seconds[-2].counts.pack()
        self.present = RunCounts()
