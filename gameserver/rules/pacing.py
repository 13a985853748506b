"""Rate limits: how often something may be done, by GCRA, the generic cell rate algorithm.

The state of a caller is one number, its time of rest: from then on the whole burst is available again. Each call
moves it one interval on, from where it is or from now if that is later. A call that would move it more than `burst`
intervals past now is denied, and moves nothing. So no window of time, wherever it begins, has more calls than the
burst and one for every interval in it. It admits what a token bucket admits, without refilling one.
Source: ITU-T I.371, the virtual scheduling algorithm.

Three places have the algorithm written out, because each call there has to be cheap: commands/pacing.py (actions),
transport/socket/pacing.py (frames) and storage/sessions/lua/attempts_spend.lua (attempts, in Redis). Property tests
hold them to `Pace`.

Times are whole nanoseconds of a clock that never goes back: sums of whole numbers are exact.
"""

from gameserver.rules.errors import RateLimited

SECOND_NS = 1_000_000_000


class Pace:
    """`burst` calls at once, and one more every `interval` ns."""

    __slots__ = ("burst", "interval", "tolerance")

    def __init__(self, interval: int, burst: int) -> None:
        self.interval, self.burst = interval, burst
        self.tolerance = interval * (burst - 1)
        """How far past now, in ns, the time of rest may lie for one more call."""

    @property
    def recovery(self) -> int:
        """Nanoseconds after which a spent burst is available again."""
        return self.interval * self.burst

    def wait(self, rest: int, now: int) -> int:
        """Nanoseconds until one more call is admitted; 0 or less if it is admitted now."""
        return rest - now - self.tolerance

    def spent(self, rest: int, now: int) -> int:
        """The time of rest after one more call."""
        return max(rest, now) + self.interval


def refusal(detail: str, wait: int) -> RateLimited:
    """The error for a caller that has to wait `wait` ns; its `retry_after` is rounded up to a millisecond."""
    return RateLimited(detail, retry_after=-(-wait // 1_000_000) / 1000)
