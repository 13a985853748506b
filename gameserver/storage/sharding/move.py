"""What a move of slots is: its plan, its record, and the steps that it and each of its slots go through."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Step(StrEnum):
    """How far a move is as a whole."""

    PLANNED = "planned"
    COPYING = "copying"
    MOVING = "moving"
    CLEANING = "cleaning"
    DONE = "done"


class SlotStep(StrEnum):
    """How far one slot of a move is."""

    WAITING = "waiting"
    FENCING = "fencing"
    RETURNING = "returning"
    FLIPPED = "flipped"
    MOVED = "moved"
    KEPT = "kept"
    """The move ended without it: the source still owns it."""


TURN = "another move is copied to {target} first"
"""The problem of a move that waits for nothing else."""


class LeaseLost(Exception):
    """Another process is this move's mover now."""


@dataclass(frozen=True, slots=True)
class SlotRecord:
    """`epoch` is that of the source's fence while fencing or returning, and of the target's grant once flipped."""

    slot: int
    step: SlotStep
    epoch: int
    pause_ms: int | None

    @property
    def over(self) -> bool:
        return self.step in (SlotStep.MOVED, SlotStep.KEPT)


@dataclass(frozen=True, slots=True)
class MoveRecord:
    """`turn` numbers the leases of the move and rises with each.

    `servers` identifies the two servers that the copy is between; `problem` is why the last attempt didn't go on.
    """

    id: int
    group: str
    source: str
    target: str
    step: Step
    turn: int
    mover: str
    cancelled: bool
    servers: str
    problem: str | None
    ended_at: datetime | None
    slots: Sequence[SlotRecord] = field(default=())

    @property
    def waits_its_turn(self) -> bool:
        """Whether all that it waits for is another copy to its target."""
        return self.problem == TURN.format(target=self.target)

    def at(self, *steps: SlotStep) -> list[int]:
        """The slots that are at one of these steps."""
        return [record.slot for record in self.slots if record.step in steps]


@dataclass(frozen=True, slots=True)
class PlannedMove:
    """Slots that one database is to give to another."""

    group: str
    source: str
    target: str
    slots: Sequence[int]
