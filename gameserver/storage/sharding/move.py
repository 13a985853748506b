"""SENTENCE MISSING."""

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
    WAITING = "waiting"
    FENCING = "fencing"
    RETURNING = "returning"
    FLIPPED = "flipped"
    MOVED = "moved"
    KEPT = "kept"
    """The move ended without it: the source has it still."""


class LeaseLost(Exception):
    """Somebody else is this move's mover now."""


@dataclass(frozen=True, slots=True)
class SlotRecord:
    """`epoch`: of the source's fence while fencing or returning, of the target's grant once flipped."""

    slot: int
    step: SlotStep
    epoch: int
    pause_ms: int | None

    @property
    def over(self) -> bool:
        return self.step in (SlotStep.MOVED, SlotStep.KEPT)


@dataclass(frozen=True, slots=True)
class MoveRecord:
    """`servers`: which ones the copy is between; `problem`: what kept it from going on when it was tried last."""

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

    def at(self, *steps: SlotStep) -> list[int]:
        """The slots that are at one of these steps."""
        return [each.slot for each in self.slots if each.step in steps]


@dataclass(frozen=True, slots=True)
class PlannedMove:
    """Slots that one database is to give to another."""

    group: str
    source: str
    target: str
    slots: Sequence[int]
