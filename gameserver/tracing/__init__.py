"""Follows requests as OpenTelemetry traces: from a door to a commit to a board.

Law: nothing here waits, raises or asks anybody on a request's way. What has ended is put into a bounded queue, which a
thread of its own empties into a collector; a full queue drops spans and counts them. OpenTelemetry's packages are
imported by that thread's module alone, so a node without tracing needs none. No span has a key, a name, an address or
a free text.
Door: `opening` (`opened`, `lacking`), `tracer` (`Tracer`, `CommandSpan`), `contexts` (`SpanContext`).
"""
