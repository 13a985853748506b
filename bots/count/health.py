"""The health of the load generator itself: a run that it spoiled says so.

Law: an operation is looked at within a millisecond or so of its due time. A second in which the 99th percentile of that
lateness is above SPOILED_SECONDS measures the generator; if more than SPOILED_SHARE of the seconds do, the run is void.
"""

import asyncio
import time
from collections.abc import Callable, Sequence

from bots.count.document import DurationSpread, GeneratorSecond

TICK_SECONDS = 0.02
SPOILED_SECONDS = 0.05
SPOILED_SHARE = 0.1


class GeneratorHealth:
    """The series of one generator, a row for each second of the run."""

    def __init__(self) -> None:
        self.seconds: list[GeneratorSecond] = []
        self.lateness: list[float] = []
        self._lags: list[float] = []

    @property
    def last(self) -> GeneratorSecond | None:
        """The last whole second."""
        return self.seconds[-1] if self.seconds else None

    async def watch(self, started: float, connected: Callable[[], int]) -> None:
        """Measure the loop until cancelled; `started` is in seconds of the monotonic clock."""
        at, cpu = 0, time.process_time()
        self.lateness.clear()
        while True:
            before = time.monotonic()
            await asyncio.sleep(TICK_SECONDS)
            now = time.monotonic()
            self._lags.append(max(0.0, now - before - TICK_SECONDS))
            if now >= started + at + 1:
                used = time.process_time() - cpu
                share = used / (now - started - at)
                self.seconds.append(
                    GeneratorSecond(at, spread(self.lateness), spread(self._lags), round(share, 3), connected())
                )
                at, cpu = int(now - started), cpu + used
                self.lateness.clear()
                self._lags.clear()

    def fault(self, warm_up: float) -> str | None:
        """Say why the run is void, or return None."""
        return fault(self.seconds, warm_up)


def fault(seconds: Sequence[GeneratorSecond], warm_up: float) -> str | None:
    """Say why a run with these seconds of its generators is void, or return None."""
    counted = [second for second in seconds if second.at >= warm_up]
    spoiled = [second for second in counted if second.lateness_us.p99 > SPOILED_SECONDS * 1e6]
    if not counted or len(spoiled) <= SPOILED_SHARE * len(counted):
        return None
    worst = max(second.lateness_us.p99 for second in spoiled) / 1e6
    cpu = sum(second.cpu for second in spoiled) / len(spoiled)
    return (
        f"the generator was late itself: in {len(spoiled)} of {len(counted)} seconds the p99 of its own lateness was "
        f"above {SPOILED_SECONDS * 1000:.0f} ms (worst {worst:.2f} s), at {cpu:.0%} of a core; use --processes, fewer "
        "bots, or another machine than the server's"
    )


def spread(seconds: Sequence[float]) -> DurationSpread:
    """Return the spread of some durations in seconds; of none, zeros."""
    if not seconds:
        return DurationSpread(0, 0, 0)
    ordered = sorted(seconds)
    last = len(ordered) - 1
    median, high = ordered[last // 2], ordered[int(last * 0.99)]
    return DurationSpread(round(median * 1e6), round(high * 1e6), round(ordered[last] * 1e6))
