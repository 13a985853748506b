"""How often a player may send letters and receive them, and how many its inbox holds.

Law: what a player sends is counted in the sender's transaction, under the sender's lock: by all its letters, and by
the pair of sender and recipient. What it receives is counted in the recipient's, under the recipient's lock. So every
bound is exact over all nodes and databases, and survives a restart. Only letters that a player began are counted:
answers, returned letters and the server's own always pass, or a duel would lose its end.

A count is one number, the time of rest of `rules.pacing` in Unix nanoseconds by the database's clock. A row whose time
is past says no more than no row, and upkeep deletes it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import BigInteger, cast, delete, func, select, tuple_

from gameserver.rules.pacing import Pace, refusal
from gameserver.storage import tables
from gameserver.storage.ids import slot_of
from gameserver.storage.postgres.database import Database
from gameserver.telemetry import denied

SENT, RECEIVED = 0, -1
"""The `other_id` of all that a player sends, and of all that it receives; the id of a recipient is that of a pair."""
TRIM_SHARE = 10
"""An inbox is trimmed by a tenth of what it may hold, whenever so many letters have arrived."""
COUNTS = tables.letter_counts.c
OWNED = tables.players_owned_slots.c
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class LetterLimits(NamedTuple):
    """How often letters may be sent and received; `inbox` is how many letters an inbox holds."""

    per_sender: Pace
    per_pair: Pace
    per_recipient: Pace
    inbox: int

    @property
    def arrivals(self) -> int:
        """After so many letters an inbox is trimmed."""
        return max(self.inbox // TRIM_SHARE, 1)


class CountRow(NamedTuple):
    """A row of `letter_counts`, in the order of the statements' arguments."""

    slot: int
    player_id: int
    other_id: int
    rest: int
    arrivals: int


@dataclass(slots=True)
class LetterCounts:
    """The counts of one batch's players, as they are after the commands decided so far."""

    limits: LetterLimits
    _rests: dict[tuple[int, int], int] = field(default_factory=dict)
    _arrivals: dict[int, int] = field(default_factory=dict)
    _changed: set[tuple[int, int]] = field(default_factory=set)

    def load(self, player_id: int, other_id: int, rest: int, arrivals: int) -> None:
        """Notes what the database has."""
        self._rests[player_id, other_id] = rest
        if other_id == RECEIVED:
            self._arrivals[player_id] = arrivals

    def require_sendable(self, player_id: int, recipients: Sequence[int], now: datetime) -> None:
        """Raises RateLimited if the player may not send a letter to each of these now; counts nothing."""
        at, limits = nanoseconds(now), self.limits
        tried: dict[tuple[int, int], int] = {}
        for recipient in recipients:
            for other_id, pace, kind, detail in (
                (SENT, limits.per_sender, "letters_per_sender", "The player sends too many letters."),
                (recipient, limits.per_pair, "letters_per_pair", "The player sends too many letters to this one."),
            ):
                key = player_id, other_id
                rest = tried[key] if key in tried else self._rest(key, pace, at)
                if (wait := pace.wait(rest, at)) > 0:
                    denied(kind).inc()
                    raise refusal(detail, wait)
                tried[key] = pace.spent(rest, at)

    def spend_sent(self, player_id: int, recipients: Sequence[int], now: datetime) -> None:
        """Counts letters that are sent."""
        at = nanoseconds(now)
        for recipient in recipients:
            self._spend((player_id, SENT), self.limits.per_sender, at)
            self._spend((player_id, recipient), self.limits.per_pair, at)

    def may_receive(self, player_id: int, now: datetime) -> bool:
        """Whether the player may receive one more letter that another player began."""
        pace, at = self.limits.per_recipient, nanoseconds(now)
        if pace.wait(self._rest((player_id, RECEIVED), pace, at), at) <= 0:
            return True
        denied("letters_per_recipient").inc()
        return False

    def arrive(self, player_id: int, now: datetime, *, counted: bool) -> None:
        """Notes a letter in the player's inbox; one that another player began is `counted`."""
        key, pace, at = (player_id, RECEIVED), self.limits.per_recipient, nanoseconds(now)
        # A player without a row may have an inbox from before there were rows: trim it at once.
        self._arrivals[player_id] = self._arrivals.get(player_id, self.limits.arrivals) + 1
        if counted:
            self._spend(key, pace, at)
        else:
            self._rests[key] = self._rest(key, pace, at)
            self._changed.add(key)

    def take_full(self) -> list[int]:
        """The players whose inboxes are due to be trimmed; their arrivals begin again at 0."""
        full = [player_id for player_id, count in self._arrivals.items()
                if count >= self.limits.arrivals and (player_id, RECEIVED) in self._changed]  # fmt: skip
        for player_id in full:
            self._arrivals[player_id] = 0
        return full

    def rows(self) -> list[CountRow]:
        """The rows that have changed."""
        return [
            CountRow(
                slot_of(key[0]), *key, self._rests[key], self._arrivals.get(key[0], 0) if key[1] == RECEIVED else 0
            )
            for key in sorted(self._changed)
        ]

    def _spend(self, key: tuple[int, int], pace: Pace, at: int) -> None:
        self._rests[key] = pace.spent(self._rest(key, pace, at), at)
        self._changed.add(key)

    def _rest(self, key: tuple[int, int], pace: Pace, at: int) -> int:
        """The time of rest; one that no letter can have led to (the clock stepped back) is the latest that can."""
        return min(max(self._rests.get(key, at), at), at + pace.recovery)


def nanoseconds(time: datetime) -> int:
    """Unix nanoseconds, exact to the microsecond."""
    return (time - _EPOCH) // timedelta(microseconds=1) * 1000


async def forget_rested(database: Database, most: int) -> int:
    """Deletes counts that have no effect any more, at most `most`; returns how many. Raises DatabaseUnavailable."""
    owned = select(OWNED.slot).where(OWNED.owned)
    now = cast(func.extract("epoch", func.now()) * 1_000_000_000, BigInteger)
    rested = (
        select(COUNTS.slot, COUNTS.player_id, COUNTS.other_id)
        .where(COUNTS.rest < now, COUNTS.slot.in_(owned))
        .limit(most)
        .with_for_update(skip_locked=True, of=tables.letter_counts)
    ).cte("rested")
    chosen = select(rested.c.slot, rested.c.player_id, rested.c.other_id)
    async with database.fenced("players") as connection:
        key = tuple_(COUNTS.slot, COUNTS.player_id, COUNTS.other_id)
        return (await connection.execute(delete(tables.letter_counts).where(key.in_(chosen)))).rowcount
