"""Where in which trace a span is, and how callers say so: W3C's `traceparent` (https://www.w3.org/TR/trace-context/)."""

import random
import re
from typing import NamedTuple, Self

LONGEST_TRACEPARENT = 128
"""Characters; a longer one is ignored."""
_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII)
_SAMPLED = 1


class SpanContext(NamedTuple):
    """A span's place: 128 bits of trace and 64 of span, neither of them 0."""

    trace_id: int
    span_id: int

    @classmethod
    def root(cls) -> Self:
        """A span of a new trace."""
        return cls(random.getrandbits(128) or 1, random.getrandbits(64) or 1)

    def child(self) -> "SpanContext":
        """A new span of the same trace."""
        return SpanContext(self.trace_id, random.getrandbits(64) or 1)

    def dump(self) -> bytes:
        """24 bytes."""
        return self.trace_id.to_bytes(16) + self.span_id.to_bytes(8)

    @classmethod
    def load(cls, dumped: bytes) -> Self:
        return cls(int.from_bytes(dumped[:16]), int.from_bytes(dumped[16:]))


class CallersContext(NamedTuple):
    """What a caller says: its span, and whether it traces the request itself."""

    context: SpanContext
    sampled: bool


def parse(traceparent: object) -> CallersContext | None:
    """What a caller's `traceparent` says; None for none, and for what can't be understood."""
    if not isinstance(traceparent, str) or len(traceparent) > LONGEST_TRACEPARENT:
        return None
    match = _TRACEPARENT.fullmatch(traceparent)
    if match is None:
        return None
    version, trace_id, span_id, flags, more = match.groups()
    # Later versions may say more, the first one may not.
    if version == "ff" or (version == "00" and more is not None):
        return None
    context = SpanContext(int(trace_id, 16), int(span_id, 16))
    return CallersContext(context, bool(int(flags, 16) & _SAMPLED)) if all(context) else None
