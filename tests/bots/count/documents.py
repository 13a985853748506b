"""Documents of runs, made up."""

from bots.count.document import (
    HELD,
    DurationSpread,
    GeneratorSecond,
    InvariantVerdict,
    RunDocument,
    RunEvent,
    RunSecond,
    RunSetup,
    Sighting,
)
from bots.count.operations import RunCounts


def counted(**latencies: list[float]) -> RunCounts:
    """Counts of one second: the latencies, in seconds, of each operation, half of which it spent waiting."""
    counts = RunCounts()
    for name, seconds in latencies.items():
        for value in seconds:
            counts.of(name).planned.record(value)
            counts.of(name).service.record(value / 2)
            counts.of(name).ok += 1
        counts.nodes["one"] += len(seconds)
    return counts


def made_up(
    seconds: list[RunCounts], *, seed: int = 1, started: str = "2026-01-01T00:00:00+00:00", warm_up: float = 0.0
) -> RunDocument:
    """The document of a run that counted this."""
    return RunDocument(
        RunSetup(seed, {"players": 3}, ("http://a",), {"python": "3"}, {}, started, len(seconds), warm_up, ("run",)),
        [RunSecond(at, counts) for at, counts in enumerate(seconds)],
        [GeneratorSecond(at, DurationSpread(1, 2, 3), DurationSpread(4, 5, 6), 0.5, 3) for at in range(len(seconds))],
        [RunEvent(1.0, 2.0, "kill", "node-1", "it came back")],
        [InvariantVerdict("nothing is lost", HELD, 7)],
        [Sighting("retries", 2, expected=True)],
    )
