"""Spans that have ended, and the bounded queue in which they wait to be sent."""

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from gameserver.telemetry import SPANS
from gameserver.tracing.contexts import SpanContext

BATCH = 256
"""Spans sent at a time, at the most."""
LONGEST_WAIT = 1.0
"""Seconds until what has ended is sent, while it is less than BATCH."""


Attributes = Mapping[str, str | int]


class EndedSpan(NamedTuple):
    """One step of a request, or of what was done for several. Times are Unix nanoseconds."""

    name: str
    context: SpanContext
    began: int
    ended: int
    attributes: Attributes
    parent: SpanContext | None = None
    links: Sequence[SpanContext] = ()
    serves: bool = False
    """Whether it answers somebody outside."""
    failed: str = ""
    """The code of its error."""


class SpanQueue:
    """Filled by the loop, which never waits for it, and emptied by one thread."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._spans: deque[EndedSpan] = deque()
        self._enough = threading.Event()
        self._dropped = SPANS.labels("dropped")

    def put(self, span: EndedSpan) -> None:
        """Queues a span; drops it when the queue is full."""
        if len(self._spans) >= self._size:
            self._dropped.inc()
            return
        self._spans.append(span)
        if len(self._spans) >= BATCH:
            self._enough.set()

    def wait(self) -> None:
        """Waits for a batch, at the longest for LONGEST_WAIT."""
        self._enough.wait(LONGEST_WAIT)
        self._enough.clear()

    def wake(self) -> None:
        """Ends the wait, now or when it begins."""
        self._enough.set()

    def take(self) -> list[EndedSpan]:
        """The spans that have waited longest, at the most BATCH."""
        return [self._spans.popleft() for _ in range(min(len(self._spans), BATCH))]
