"""One attempt to carry a move to its end, over two open connections, from whatever step it has reached.

Law: each step is recorded before the next one begins and may be carried out twice, so an attempt that fails anywhere is
followed by another one, of this mover or of the next. A database is the target of one attempt with a copy at a time,
whoever the movers are: each copy has a worker of its server for as long as it goes on, and needs more for its tables;
so those that begin together could take all there are, and none would ever get on.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

import asyncpg

from gameserver.storage.ledger import partitions
from gameserver.storage.sharding import copying, cutover, ending, standing_in
from gameserver.storage.sharding.copy_turn import CopyTurn
from gameserver.storage.sharding.copying import Copy, CopyProgress
from gameserver.storage.sharding.cutover import Cutover, CutoverDelayed, SlotStays
from gameserver.storage.sharding.lease import MoveLease
from gameserver.storage.sharding.move import TURN, MoveRecord, SlotStep, Step
from gameserver.storage.tables import migrations
from gameserver.telemetry import MOVE_PAUSES

LOOK_SECONDS = 0.2
TRIES = 20
"""How often in a row the cut-over of one slot may be delayed before the attempt ends."""

FAILURES = 5
"""How often a copy may fail before it gives up its turn; Postgres tries again every 5 s."""


class CopyFailed(Exception):
    """The copy fails again and again. It is paused until it has its turn again; the text says where to look."""


@dataclass(frozen=True, slots=True)
class MoveProgress:
    """What a mover reports of a move: how far the copy is, the target's lag, and what it waits for."""

    move: MoveRecord
    copied: CopyProgress | None = None
    lag_ms: int | None = None
    note: str = ""

    @property
    def over(self) -> int:
        """How many slots have moved, or won't."""
        return sum(record.over for record in self.move.slots)

    @property
    def moved(self) -> int:
        return len(self.move.at(SlotStep.MOVED))

    @property
    def longest_pause_ms(self) -> int:
        return max((record.pause_ms or 0 for record in self.move.slots), default=0)


Tell = Callable[[MoveProgress], None]


class Attempt:
    """Raises LeaseLost, CutoverDelayed, CopyFailed, and what the servers raise."""

    def __init__(
        self, lease: MoveLease, copy: Copy, source: asyncpg.Connection, target: asyncpg.Connection, tell: Tell
    ) -> None:
        self._lease, self._copy, self._tell = lease, copy, tell
        self._source, self._target = source, target
        self._cutover = Cutover(lease.slots, source, target)

    async def carry_out(self, when_on: Callable[[], None]) -> MoveRecord:
        """Goes through the steps that are left; returns the move's record at its end.

        `when_on` is called once nothing is waited for any more, neither a server nor the turn to copy.
        """
        lease = self._lease
        await self._recover()
        if lease.move.step in (Step.PLANNED, Step.COPYING):
            await self._await_turn()
        when_on()
        if lease.move.step is Step.PLANNED:
            await self._begin_copy()
        if lease.move.step is Step.COPYING:
            await self._await_copy()
        if lease.move.step is Step.MOVING:
            await self._cut_over_all()
        if lease.move.step is Step.CLEANING:
            await self._clean()
        self._tell(MoveProgress(lease.move))
        return lease.move

    async def _recover(self) -> None:
        """Ends what an earlier mover has begun: its connections, its fences, and grants after its flips."""
        await self._lease.refresh()
        await self._copy.evict(self._source, self._target)
        await self._copy.recall(self._source, self._lease.move.step)
        await self._lease.refresh()
        await cutover.give_back_all(self._lease.slots, self._source, self._lease.move)
        for record in self._lease.move.slots:
            if record.step is SlotStep.FLIPPED:
                await self._cutover.grant(self._lease.move, record.slot, record.epoch)
        await self._lease.refresh()

    async def _await_turn(self) -> None:
        """Returns once the target is copied to for no other move, which stays so until the attempt ends; or when this
        move is cancelled, and needs no copy."""
        turn, problem = CopyTurn(self._lease), TURN.format(target=self._copy.target.name)
        noted = False
        while not self._lease.cancelled and not await turn.take(self._target):
            self._lease.require()
            if not noted:
                self._tell(MoveProgress(self._lease.move, note=problem))
                await self._lease.note(problem)
                noted = True
            await asyncio.sleep(LOOK_SECONDS)
        if noted or self._lease.move.waits_its_turn:
            await self._lease.advance(self._lease.move.step, problem=None)

    async def _begin_copy(self) -> None:
        if self._lease.cancelled:
            await self._lease.begin_cleaning()
            return
        await self._require_heads()
        await copying.require_fit(self._copy.source, self._copy.target)
        await self._make_partitions()
        await self._end_orphans()
        await self._copy.begin(self._source, self._target, self._lease.move.servers)
        await self._lease.advance(Step.COPYING, servers=await self._servers(), problem=None)

    async def _require_heads(self) -> None:
        """Raises Conflict while the tables aren't those that this code copies and compares."""
        for database in (self._copy.source, self._copy.target):
            await migrations.require_head(database, self._lease.move.group)

    async def _await_copy(self) -> None:
        await self._let_go_on()
        errors, failures, lost = 0, 0, set[str]()
        while not self._lease.cancelled:
            if not await self._has_same_servers():
                await self._begin_anew()
            copied = await self._copy.copied(self._source, self._target)
            self._tell(MoveProgress(self._lease.move, copied))
            if copied.ready:
                await self._lease.advance(Step.MOVING, problem=None)
                return
            self._lease.require()
            if copied.errors > errors:
                errors, failures = copied.errors, failures + 1
                await self._mind(errors, failures)
            lost = await self._still_without_slots(lost)
            await asyncio.sleep(LOOK_SECONDS)
        await self._lease.begin_cleaning()

    async def _let_go_on(self) -> None:
        """Ends a pause of the copy, unless it is used no more. Raises CopyStandsIn if it mustn't go on."""
        if not self._lease.cancelled:
            await standing_in.require_apart(self._copy.source.name, self._source, self._target)
            await self._copy.go_on(self._target)

    async def _mind(self, errors: int, failures: int) -> None:
        """Notes that the copy has failed, and gives it what it may lack. Raises CopyFailed if it fails too often."""
        target = self._copy.target.name
        problem = f"the copy has failed {errors} times and is tried again: see the log of {target}"
        if failures == FAILURES:
            await self._copy.pause(self._target)
            raise CopyFailed(problem)
        await self._lease.note(problem)
        await self._make_partitions()

    async def _still_without_slots(self, before: set[str]) -> set[str]:
        """Tables whose copy can't go on, as it seems. Raises CutoverDelayed if that was so at the look before, too."""
        lost = await self._copy.lost(self._source, self._target)
        if gone := sorted(lost & before):
            await self._lease.advance(Step.PLANNED)
            raise CutoverDelayed(f"the copy of {', '.join(gone)} has lost its replication slot: the copy starts again")
        return lost

    async def _cut_over_all(self) -> None:
        if not await self._has_same_servers():
            await self._begin_anew()
            return
        await self._let_go_on()
        if not self._lease.cancelled:
            await self._require_heads()
        for slot in self._lease.move.at(SlotStep.WAITING):
            self._lease.require()
            if self._lease.cancelled:
                break
            try:
                if (pause := await self._cut_over(slot)) is None:
                    break
            except SlotStays as reason:
                # Nothing more moves: an operator has to look at it.
                await self._lease.begin_cleaning(problem=str(reason))
                return
            MOVE_PAUSES.labels(self._lease.move.group).observe(pause / 1000)
            self._lease.mark_moved(slot, pause)
            self._tell(MoveProgress(self._lease.move, lag_ms=self._cutover.lag_ms))
        await self._lease.begin_cleaning()

    async def _cut_over(self, slot: int) -> int | None:
        """Moves one slot, after as many delays as TRIES allows; returns the pause in ms, or None if it's cancelled."""
        delays = 0
        while not self._lease.cancelled:
            try:
                return await self._cutover.carry_out(self._lease.move, slot)
            except CutoverDelayed as delay:
                delays += 1
                if delays == TRIES:
                    raise
                self._tell(MoveProgress(self._lease.move, note=f"slot {slot}: {delay}"))
                await self._leave_alone(delay.seconds)
            await self._make_partitions()
        return None

    async def _leave_alone(self, seconds: float) -> None:
        """Waits for so long, or until the move is cancelled. Raises LeaseLost."""
        end = time.monotonic() + seconds
        while not self._lease.cancelled and time.monotonic() < end:
            self._lease.require()
            await asyncio.sleep(LOOK_SECONDS)

    async def _clean(self) -> None:
        # Copies end first: a row erased on the source while one goes on would be erased on the target, too.
        await self._end_orphans()
        await self._copy.end(self._source, self._target, self._lease.move.servers)
        await self._copy.require_ended(self._source, self._target)
        self._tell(MoveProgress(self._lease.move, note="erasing rows that have moved"))
        await self._lease.refresh()
        for record in self._lease.move.slots:
            self._lease.require()
            moved = record.step is SlotStep.MOVED
            if moved:
                await cutover.require_granted(self._source, self._target, self._lease.move, record.slot, record.epoch)
            await self._copy.erase(self._source if moved else self._target, [record.slot])
        for connection in (self._source, self._target):
            await self._copy.forget_marks(connection)
        await self._lease.advance(Step.DONE)

    async def _end_orphans(self) -> None:
        """Ends what both servers have of copies of moves that are over, or forgotten."""
        for connection, database in ((self._source, self._copy.source), (self._target, self._copy.target)):
            await ending.end_orphans(connection, database.name, self._lease.open_moves)

    async def _servers(self) -> str:
        return await self._copy.servers(self._source, self._target)

    async def _has_same_servers(self) -> bool:
        now = await self._servers()
        # Earlier versions recorded no revisions.
        return self._lease.move.servers in (now, now.rpartition(", ")[0])

    async def _begin_anew(self) -> None:
        """After a failover of either server, or other tables, the copy starts again; if slots have moved already, the
        move ends."""
        reason = _reason(self._lease.move.servers, await self._servers())
        if self._lease.move.at(SlotStep.MOVED):
            await self._lease.begin_cleaning(problem=f"{reason}: move the rest again")
            return
        await self._lease.advance(Step.PLANNED)
        raise CutoverDelayed(f"{reason}: the copy starts again")

    async def _make_partitions(self) -> None:
        """Gives the target the source's partitions: a row for one that it lacks would halt the copy."""
        if self._lease.move.group == "players":
            slots = [record.slot for record in self._lease.move.slots]
            await partitions.copy_partitions(self._copy.source, self._copy.target, slots)


def _reason(before: str, now: str) -> str:
    """Why a copy lacks something, from what its servers were and what they are."""
    were, are = before.split(", "), now.split(", ")
    if were[:2] != are[:2]:
        return "a server was failed over"
    if were[2] == are[2]:
        return "the tables were changed"
    return (
        "the copy's replication slot on the source was dropped, or has lost its log (if Patroni runs the source, see "
        "that its ignore_slots names the slots of moves)"
    )
