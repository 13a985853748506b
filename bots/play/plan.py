"""What a run does: how many players, by which habits, and when. `bots/play/plan_file.py` reads it from TOML."""

from dataclasses import dataclass, replace
from typing import NamedTuple

EVERYDAY = "player"
"""The habit without a plan: a bit of everything."""


@dataclass(frozen=True, slots=True)
class MixRow:
    """A share of the players, relative to the other rows', and their habit; `sockets` is the share on a WebSocket."""

    habit: str
    share: float = 1.0
    sockets: float | None = None


class Seat(NamedTuple):
    """One player of a plan: the row of the mix that it belongs to, and whether it plays over a socket."""

    row: int
    on_socket: bool


@dataclass(frozen=True, slots=True)
class RateStep:
    """Arrivals per second over so many seconds: constant, or in a straight line from `rate` to `to`.

    The last of a plan may have 0 seconds: it lasts to the end.
    """

    seconds: float
    rate: float
    to: float | None = None

    @property
    def ends_at(self) -> float:
        """The rate at its end."""
        return self.rate if self.to is None else self.to

    def expected(self) -> float:
        """How many arrivals are expected in it."""
        return self.seconds * (self.rate + self.ends_at) / 2

    def times(self, factor: float) -> "RateStep":
        """Return the same step with other rates."""
        return RateStep(self.seconds, self.rate * factor, None if self.to is None else self.to * factor)


@dataclass(frozen=True, slots=True)
class Storm:
    """Many players at once sign up, sign in or reconnect: from `at` on, for so many seconds, `rate` a second."""

    kind: str
    at: float
    seconds: float
    rate: float


@dataclass(frozen=True, slots=True)
class SwarmPlan:
    """What to run: `sockets` is the share of players on a socket, `rate` each player's actions/s (0: no pause).

    That is the closed model, in which a player waits for its answer. With `arrivals` the model is open: operations of
    all players together are planned at these rates, whatever the server does, and `rate` counts for nothing.
    """

    players: int
    seconds: float
    sockets: float
    rate: float
    seed: int
    name_prefix: str
    warm_up: float = 0.0
    mix: tuple[MixRow, ...] = (MixRow(EVERYDAY),)
    arrivals: tuple[RateStep, ...] = ()
    storms: tuple[Storm, ...] = ()
    dealt: tuple[Seat, ...] = ()
    """Of a part of a run: the seats of the whole that are its own."""

    def seats(self) -> tuple[Seat, ...]:
        """Return every player: of each row by its share, and of these by the row's share on a socket."""
        if self.dealt:
            return self.dealt
        return tuple(
            Seat(row, index < round(count * self.sockets_of(row)))
            for row, count in enumerate(self._shared_out())
            for index in range(count)
        )

    def sockets_of(self, row: int) -> float:
        """Return the share of a row's players on a socket."""
        own = self.mix[row].sockets
        return self.sockets if own is None else own

    def _shared_out(self) -> list[int]:
        """Return how many players each row of the mix has: by their shares, together all."""
        whole, sums, before = sum(row.share for row in self.mix), list[int](), 0.0
        for row in self.mix:
            before += row.share
            sums.append(round(self.players * before / whole))
        return [after - earlier for earlier, after in zip([0, *sums], sums, strict=False)]

    def steps(self) -> tuple[RateStep, ...]:
        """Return the arrivals for the whole run: the last rate goes on to its end."""
        *steps, last = self.arrivals
        rest = self.seconds - sum(step.seconds for step in self.arrivals)
        if not last.seconds:
            return (*steps, replace(last, seconds=rest))
        return (*self.arrivals, RateStep(rest, last.ends_at)) if rest > 0 else self.arrivals

    def part(self, number: int, parts: int) -> "SwarmPlan":
        """Return the plan of one of several generators that together run this one; `number` counts from 0.

        Seats are dealt one by one, so that together they have the players of the whole, and each a bit of everything.
        """
        share, dealt = 1 / parts, self.seats()[number::parts]
        return replace(
            self,
            players=len(dealt),
            dealt=dealt,
            seed=self.seed if parts == 1 else self.seed * 1000 + number,
            arrivals=tuple(step.times(share) for step in self.arrivals),
            storms=tuple(replace(storm, rate=storm.rate * share) for storm in self.storms),
        )
