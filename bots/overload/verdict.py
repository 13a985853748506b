"""What an overload showed: of each door, of the nodes' memory, and of the state."""

from dataclasses import dataclass, field

from bots.overload.memory import NodeMemory
from bots.overload.questions import Treatment
from bots.overload.tally import DoorTally

REACHED = 0.9
"""The share of the planned questions that has to be asked for a verdict."""


@dataclass(slots=True)
class DoorVerdict:
    """One door: its `capacity` in good answers per second, the load that was `wanted`, in questions per second.

    `recovered` is how many seconds after the load it answered as before; None if it didn't.
    """

    door: str
    capacity: float
    wanted: float
    seconds: float
    tally: DoorTally
    recovered: float | None = None

    @property
    def reached(self) -> float:
        """The load that the door got, or that found all connections waiting, in questions per second."""
        return (self.tally.sent + self.tally.held_back) / self.seconds

    @property
    def void(self) -> bool:
        """Whether this client was too slow for a verdict."""
        return self.tally.sent + self.tally.held_back < REACHED * self.tally.planned

    @property
    def answered(self) -> float:
        """Good answers per second under the load."""
        return (self.tally.treatments[Treatment.ANSWERED] + self.tally.treatments[Treatment.REFUSED]) / self.seconds

    def faults(self) -> list[str]:
        """Return what broke the promise."""
        faults = self.tally.faults()
        if self.recovered is None:
            faults.append("it doesn't answer as before the load")
        return faults


@dataclass(slots=True)
class OverloadResult:
    """The doors in their order, the nodes' memory where it was asked for, and what isn't in the state as acknowledged.

    `acts` and `sign_ups` are how many acknowledged ones were looked for there.
    """

    seed: int
    doors: list[DoorVerdict] = field(default_factory=list)
    memory: list[NodeMemory] = field(default_factory=list)
    acts: int = 0
    sign_ups: int = 0
    state_faults: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing broke the promise."""
        memory = all(node.is_bounded for node in self.memory)
        return memory and not self.state_faults and not any(door.faults() for door in self.doors)

    @property
    def void(self) -> bool:
        """Whether some door didn't get the load that it was to get."""
        return any(door.void for door in self.doors)
