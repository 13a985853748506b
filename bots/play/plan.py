"""What a run does: how many players, by which habits, and when. `bots/play/plan_file.py` reads it from TOML."""

from dataclasses import dataclass, replace

EVERYDAY = "player"
"""The habit without a plan: a bit of everything."""


@dataclass(frozen=True, slots=True)
class MixRow:
    """A share of the players, relative to the other rows', and their habit; `sockets` is the share on a WebSocket."""

    habit: str
    share: float = 1.0
    sockets: float | None = None


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

    def steps(self) -> tuple[RateStep, ...]:
        """Return the arrivals for the whole run: the last rate goes on to its end."""
        *steps, last = self.arrivals
        rest = self.seconds - sum(step.seconds for step in self.arrivals)
        if not last.seconds:
            return (*steps, replace(last, seconds=rest))
        return (*self.arrivals, RateStep(rest, last.ends_at)) if rest > 0 else self.arrivals

    def part(self, number: int, parts: int) -> "SwarmPlan":
        """Return the plan of one of several generators that together run this one; `number` counts from 0."""
        share = 1 / parts
        players = self.players // parts + (number < self.players % parts)
        return replace(
            self,
            players=players,
            seed=self.seed if parts == 1 else self.seed * 1000 + number,
            arrivals=tuple(step.times(share) for step in self.arrivals),
            storms=tuple(replace(storm, rate=storm.rate * share) for storm in self.storms),
        )
