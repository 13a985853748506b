"""For what share of its time this process is busy: it runs, or waits for a processor that others have.

Of the process' main thread, which runs the loop. Linux tells both (`schedstat`, Documentation/scheduler/sched-stats);
elsewhere only what the thread has run is known.
"""

import time
from pathlib import Path

SCHEDSTAT = Path("/proc/self/schedstat")
LEAST_SECONDS, LONGEST_SECONDS = 0.05, 1.0
"""Between two readings; behind the longest nothing earlier counts."""
NEWEST = 0.3
"""How much the newest reading counts."""


class Busyness:
    """One per node."""

    def __init__(self) -> None:
        self._at, self._busy, self._share = time.monotonic(), _busy_seconds(), 0.0

    def share(self) -> float:
        """Of the time just past, from 0 to 1; read anew where the last reading isn't of this moment."""
        now = time.monotonic()
        if (passed := now - self._at) < LEAST_SECONDS:
            return self._share
        busy = _busy_seconds()
        newest = NEWEST if passed < LONGEST_SECONDS else 1.0
        self._share += newest * ((busy - self._busy) / passed - self._share)
        self._at, self._busy = now, busy
        return self._share


def _busy_seconds() -> float:
    try:
        ran, waited, *_ = SCHEDSTAT.read_text().split()
    except (OSError, ValueError):
        ran = waited = "0"
    return (int(ran) + int(waited)) / 1e9 if int(ran) else time.thread_time()  # some kernels count neither
