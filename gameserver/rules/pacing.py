"""How often something may be done: GCRA, the law of every limit.

A caller is known by one number: the time at which he is at rest again, with everything he may do at once before him.
Doing something moves it one interval on from there, or from now if that is later; what would move it more than the
burst's worth of intervals past now is denied, and moves nothing. So no window of time, wherever it begins, holds
more than the burst and one more for every interval in it. It does what a token bucket does, without a refill.
Source: ITU-T I.371, the virtual scheduling algorithm; storage/lua/limits_spend.lua is the same law in Redis.

Times are whole nanoseconds of any clock that only goes forward: sums of whole numbers are exact.
"""

from gameserver.rules.errors import RateLimited

SECOND_NS = 1_000_000_000


class Pace:
    """`burst` at once, and one more every `interval` ns."""

    __slots__ = ("burst", "interval", "tolerance")

    def __init__(self, interval: int, burst: int) -> None:
        self.interval, self.burst = interval, burst
        self.tolerance = interval * (burst - 1)
        """How far past now, in ns, the time of rest may lie for one more."""

    @property
    def recovery(self) -> int:
        """Nanoseconds from the last of a burst to rest."""
        return self.interval * self.burst

    def wait(self, rest: int, now: int) -> int:
        """Nanoseconds until one more is admitted; 0 or less if it is now."""
        return rest - now - self.tolerance

    def spent(self, rest: int, now: int) -> int:
        """The time of rest after one more."""
        return max(rest, now) + self.interval


def refusal(detail: str, wait: int) -> RateLimited:
    """The denial of who has `wait` ns to wait; told in seconds, rounded up to a millisecond."""
    return RateLimited(detail, retry_after=-(-wait // 1_000_000) / 1000)
