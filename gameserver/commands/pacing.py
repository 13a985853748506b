"""How often each player may act on this node, or how much each address may read.

Law: a fully recovered player equals an unknown one, so an entry is needed no longer than a burst takes to recover.
Entries of the present and of the previous such period are in two tables; the older one is dropped whole, which costs
nothing per call. A full table is replaced early: then some players get their burst back too soon, but the memory of a
node stays bounded (100,000 players, about 15 MB).

A node counts only its own traffic: a player on two nodes has twice the limit. The limit protects a node's time; one
over all nodes would cost every action a round trip to Redis.
"""

import time
from collections.abc import Callable, Hashable

from gameserver.rules.pacing import Pace, refusal
from gameserver.telemetry import denied

LARGEST_TABLE = 50_000
KIND = "actions_per_player"


class ActionPacing:
    """One per node; `clock` gives nanoseconds and never goes back."""

    def __init__(
        self,
        pace: Pace,
        clock: Callable[[], int] = time.monotonic_ns,
        limit: str = KIND,
        refused: str = "Too many actions of this player.",
        longer: "ActionPacing | None" = None,
    ) -> None:
        """`limit` is its name in the settings, `refused` what is said when it is exceeded.

        What is admitted must be so by `longer`, too, which bounds longer times.
        """
        self._pace, self._clock, self._limit, self._refused = pace, clock, limit, refused
        self._interval, self._tolerance, self._burst = pace.interval, pace.tolerance, pace.burst
        self._longer = longer
        self._present: dict[Hashable, int] = {}
        self._past: dict[Hashable, int] = {}
        self._until = clock() + pace.recovery

    def __len__(self) -> int:
        return len(self._present) + len(self._past)

    def spend(self, who: Hashable, weight: int = 1) -> None:
        """Counts one action of a player, or one attempt of an address. Raises RateLimited.

        One of a `weight` counts as so many, all or none, and at the most as the whole burst. The arithmetic of
        `rules.pacing.Pace` written out, which saves every action two calls.
        """
        now = self._clock()
        present = self._present
        if now > self._until or len(present) >= LARGEST_TABLE:
            present = self._age(now)
        rest = present.get(who)
        if rest is None:
            rest = self._past.get(who, now)
        if rest < now:
            rest = now
        more = 0 if weight == 1 else (min(weight, self._burst) - 1) * self._interval
        if rest - now + more > self._tolerance:
            denied(self._limit).inc()
            raise refusal(self._refused, self._pace.wait(rest, now) + more)
        if self._longer is not None:
            self._longer.spend(who, weight)
        present[who] = rest + self._interval + more

    def _age(self, now: int) -> dict[Hashable, int]:
        self._past, self._present = self._present, {}
        self._until = now + self._pace.recovery
        return self._present
