"""What the lean metrics tell Prometheus is what the library's own would."""

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from gameserver.timings import Counts, Timings


def exposed(collector: Counts | Timings) -> list[bytes]:
    registry = CollectorRegistry()
    registry.register(collector)
    return generate_latest(registry).splitlines()


def expected(registry: CollectorRegistry) -> list[bytes]:
    return [line for line in generate_latest(registry).splitlines() if b"_created" not in line]


def test_counts_read_as_a_counter() -> None:
    registry = CollectorRegistry()
    own = Counts("lean_answers_total", "Answers", ["route", "status"])
    library = Counter("lean_answers_total", "Answers", ["route", "status"], registry=registry)
    for status in ("200", "200", "409"):
        own.of("/a", status).inc()
        library.labels("/a", status).inc()
    assert exposed(own) == expected(registry)


def test_timings_read_as_a_histogram() -> None:
    registry = CollectorRegistry()
    own = Timings("lean_seconds", "Seconds", ["route"], (0.5, 1.0))
    library = Histogram("lean_seconds", "Seconds", ["route"], buckets=(0.5, 1.0), registry=registry)
    for seconds in (0.25, 0.5, 0.75, 4.0):
        own.of("/a").observe(seconds)
        library.labels("/a").observe(seconds)
    assert exposed(own) == expected(registry)
