"""Decides who owns a slot after a database went back in time: pure, from what the map and the databases say of it.

Law: a slot gets at most one owner, and only one that holds its rows; epochs only rise. A database that went back loses
the slots that the map gives to another one. A move whose target forgot its grant is taken back to the source, which
still has the rows, unless they may have been erased there. If a database knows a higher epoch than the map, the control
database went back, and learns from it. Whatever can't be decided by that is a conflict: the slot keeps no owner, and an
operator decides.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from enum import StrEnum

from gameserver.storage.sharding.move import SlotStep, Step


@dataclass(frozen=True, slots=True)
class Ownership:
    """What a database says of a slot; NEVER if it has no row."""

    owned: bool
    epoch: int


NEVER = Ownership(owned=False, epoch=0)


@dataclass(frozen=True, slots=True)
class MovingSlot:
    """The slot's part in a move that isn't over; `step` and `epoch` are the slot's."""

    move: int
    source: str
    target: str
    stage: Step
    step: SlotStep
    epoch: int


@dataclass(frozen=True, slots=True)
class SlotView:
    """A slot as the map has it, and as each member that answered has it."""

    group: str
    slot: int
    owner: str
    epoch: int
    rows: Mapping[str, Ownership]
    moving: MovingSlot | None = None

    def of(self, database: str) -> Ownership:
        return self.rows.get(database, NEVER)


class What(StrEnum):
    """What is done to a slot."""

    RELEASED = "released"
    """A database that went back had it, and another one owns it."""
    GRANTED = "granted"
    """The map's owner had forgotten the newest epoch of its grant."""
    TAKEN_BACK = "taken back"
    """The target of a move forgot its grant; the source has it again."""
    LEARNT = "learnt"
    """The map went back, and has the owner of the greatest epoch now."""
    CONFLICT = "conflict"
    """Nobody may write it until an operator has decided."""
    WAITS = "waits"
    """A database that doesn't answer may own it."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to write: each database's row, the map's row, and the step of the slot in its move; None leaves it as it is.

    `reason` is for operators.
    """

    what: What
    reason: str
    rows: Mapping[str, Ownership] = field(default_factory=dict)
    map: tuple[str, int] | None = None
    step: tuple[SlotStep, int] | None = None


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Which databases are on another system or timeline than when they were compared last, and which don't answer.

    `doubtful`: the control database went back, so its records of moves may be old ones.
    """

    changed: Set[str]
    unseen: Set[str]
    doubtful: bool = False


def judge(view: SlotView, now: Circumstances) -> Verdict | None:
    """What is to be done about a slot; None if all is as it should be, or as the mover of its move expects."""
    known = max(view.epoch, view.moving.epoch if view.moving else 0)
    if max((row.epoch for row in view.rows.values()), default=0) > known:
        return _learn(view, now)
    if view.moving is not None and view.moving.step is not SlotStep.WAITING:
        return _judge_moving(view, view.moving, now)
    return _judge_resting(view)


def accept(view: SlotView, owner: str) -> Verdict:
    """Ends a conflict: `owner` has the slot, under an epoch that nobody has seen."""
    epoch = 1 + max(view.epoch, view.moving.epoch if view.moving else 0, *(row.epoch for row in view.rows.values()))
    rows = {**_others(view, {owner}, epoch), owner: Ownership(owned=True, epoch=epoch)}
    moved = view.moving is not None and view.moving.target == owner
    step = (SlotStep.MOVED if moved else SlotStep.KEPT, epoch)
    return Verdict(What.LEARNT, "an operator has decided", rows, (owner, epoch), step)


def _learn(view: SlotView, now: Circumstances) -> Verdict:
    """The greatest epoch wins: the control database went back in time."""
    top = max(row.epoch for row in view.rows.values())
    names = [name for name, row in view.rows.items() if row.epoch == top]
    owners = [name for name in names if view.rows[name].owned]
    if len(owners) > 1:
        return _conflict(view, f"{' and '.join(sorted(owners))} own it under the same epoch {top}")
    if owners and not (now.unseen and owners[0] in now.changed):
        return _learnt(view, owners[0], top, f"the map said {view.owner} (epoch {view.epoch})")
    if now.unseen:
        doubt = f"{names[0]} knows of epoch {top}, and {', '.join(sorted(now.unseen))} may know of a later one"
        return Verdict(What.WAITS, doubt)
    if len(names) > 1 or (now.changed & view.rows.keys()) - {names[0]}:
        return _conflict(view, f"no database owns it; the map says {view.owner}, and the epoch {top} is known")
    # Fenced for a move that was flipped under the next epoch, if at all.
    return _learnt(view, names[0], top + 2, f"{names[0]} had fenced it for a move that the map has forgotten")


def _learnt(view: SlotView, owner: str, epoch: int, reason: str) -> Verdict:
    rows = _others(view, {owner}, epoch)
    if view.of(owner) != (own := Ownership(owned=True, epoch=epoch)):
        rows[owner] = own
    return Verdict(What.LEARNT, reason, rows, (owner, epoch), _step_after(view.moving, owner, epoch))


def _step_after(moving: MovingSlot | None, owner: str, epoch: int) -> tuple[SlotStep, int] | None:
    """Where a move's record stands once the map has learnt the owner."""
    if moving is None:
        return None
    if owner == moving.target:
        return SlotStep.MOVED, epoch
    return (SlotStep.WAITING if owner == moving.source else SlotStep.KEPT), epoch


def _judge_moving(view: SlotView, moving: MovingSlot, now: Circumstances) -> Verdict | None:
    if moving.step in (SlotStep.FENCING, SlotStep.RETURNING):
        return _judge_before_flip(view, moving, now)
    if moving.step in (SlotStep.FLIPPED, SlotStep.MOVED) and view.epoch <= moving.epoch:
        return _judge_after_flip(view, moving, now)
    return _judge_resting(view)


def _judge_before_flip(view: SlotView, moving: MovingSlot, now: Circumstances) -> Verdict | None:
    """The mover gives the slot back to the source, which must still have been its owner.

    The source's fence is of the move's epoch, of the one before if it is returned, or of the one before that if the
    slot was taken back from the target.
    """
    fence = moving.epoch - (2 if moving.step is SlotStep.RETURNING else 0)
    row = view.of(moving.source)
    if moving.source in view.rows and not row.owned and row.epoch < fence and not _was_giving_back(view, row):
        return _conflict(view, f"{moving.source} went back to a time before it got it")
    if now.doubtful and not row.owned:
        # The record may be older than a flip, of which the target alone would know.
        if silent := sorted({moving.source, moving.target} & now.unseen):
            return Verdict(What.WAITS, f"the map went back, and {' and '.join(silent)} may know of a later epoch")
        if moving.target in now.changed:
            return _conflict(view, f"the map and {moving.target} went back to a time before it may have got it")
    return _released(view, moving.source)


def _judge_after_flip(view: SlotView, moving: MovingSlot, now: Circumstances) -> Verdict | None:
    """The target owns it, or is about to; unless it has gone back to a time before its grant."""
    target, row = moving.target, view.of(moving.target)
    granted = row.epoch > moving.epoch or row == Ownership(owned=True, epoch=moving.epoch)
    if target not in view.rows or granted or (moving.step is SlotStep.FLIPPED and target not in now.changed):
        return _released(view, target)
    source = view.of(moving.source)
    lost = moving.source in view.rows and not source.owned and source.epoch < moving.epoch - 1
    if lost or now.doubtful or moving.stage is Step.CLEANING:
        where = f"{moving.source} {'forgot it, too' if lost else 'may have erased its rows'}"
        return _conflict(view, f"{target} went back to a time before it got it, and {where}")
    epoch = moving.epoch + 1
    rows, reason = _others(view, {moving.source}, view.epoch), f"{target} went back to a time before it got it"
    return Verdict(What.TAKEN_BACK, reason, rows, (moving.source, epoch), (SlotStep.RETURNING, epoch))


def _judge_resting(view: SlotView) -> Verdict | None:
    """No move is at this slot now, so the map alone says whose it is."""
    owner, row = view.owner, view.of(view.owner)
    if owner not in view.rows or row == Ownership(owned=True, epoch=view.epoch):
        return _released(view, owner)
    if row.owned or view.epoch == 1 or _was_giving_back(view, row):
        rows = {**_others(view, {owner}, view.epoch), owner: Ownership(owned=True, epoch=view.epoch)}
        return Verdict(What.GRANTED, f"the map gave it to {owner} under epoch {view.epoch}", rows)
    return _conflict(view, f"{owner} went back to a time before it got it (epoch {view.epoch}), and has no rows of it")


def _was_giving_back(view: SlotView, row: Ownership) -> bool:
    """Whether the map's owner went back to a moment of a move of its own between its fence and its return.

    The fence has the epoch before that of the return, or of the grant, and is taken on the source alone: so a target
    never has such a row, and this is a source whose slot never left it, with all of its rows.
    """
    return row == Ownership(owned=False, epoch=view.epoch - 1)


def _released(view: SlotView, owner: str) -> Verdict | None:
    others = _others(view, {owner}, view.epoch)
    if not others:
        return None
    return Verdict(What.RELEASED, f"{', '.join(sorted(others))} went back; {owner} owns it", others)


def _conflict(view: SlotView, reason: str) -> Verdict:
    """Nobody owns it any more, and it stays so: no move goes on with it, and the map knows every epoch.

    After a flip its step says so, and the move erases nothing of it on the source.
    """
    known = max(view.epoch, *(row.epoch for row in view.rows.values()))
    raised = (view.owner, known) if known > view.epoch else None
    return Verdict(What.CONFLICT, reason, _others(view, set(), known), raised, _step_of_conflict(view.moving))


def _step_of_conflict(moving: MovingSlot | None) -> tuple[SlotStep, int] | None:
    if moving is None or moving.step in (SlotStep.MOVED, SlotStep.KEPT):
        return None
    return (SlotStep.MOVED if moving.step is SlotStep.FLIPPED else SlotStep.KEPT), moving.epoch


def _others(view: SlotView, but: Set[str], epoch: int) -> dict[str, Ownership]:
    """The rows of those who believe that they own it, without that."""
    return {
        name: Ownership(owned=False, epoch=max(epoch, row.epoch))
        for name, row in view.rows.items()
        if row.owned and name not in but
    }
