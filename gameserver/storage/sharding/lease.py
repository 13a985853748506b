"""A move as its mover holds it: its record, and a lease on it that is renewed in the background."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace

import structlog

from gameserver.rules.errors import DatabaseUnavailable
from gameserver.storage.sharding.move import LeaseLost, MoveRecord, SlotStep, Step
from gameserver.storage.sharding.records import MoveRecords
from gameserver.storage.sharding.slot_steps import SlotSteps

log = structlog.get_logger()

RENEW_SECONDS = 1.0
RETRY_SECONDS = 1.0


class MoveLease:
    """The lease of one move, renewed until `close`; `move` is the record as it was read or changed last.

    Losing the lease is noticed late, which does no harm: the records refuse whatever is done without it.
    """

    def __init__(self, records: MoveRecords, move: MoveRecord) -> None:
        self._records = records
        self.move = move
        self.cancelled = move.cancelled
        self._lost = False
        self._renewing = asyncio.create_task(self._renew_for_ever())

    @property
    def slots(self) -> SlotSteps:
        """The steps of its slots."""
        return self._records.slots

    async def close(self) -> None:
        self._renewing.cancel()
        await asyncio.wait([self._renewing])

    async def _renew_for_ever(self) -> None:
        while not self._lost:
            await asyncio.sleep(RENEW_SECONDS)
            try:
                self.cancelled = (await self._records.renew(self.move)).cancelled
            except LeaseLost:
                self._lost = True
            except DatabaseUnavailable as error:
                log.warning("a move's lease can't be renewed", move=self.move.id, error=error.detail)

    def require(self) -> None:
        """Raises LeaseLost once a renewal was refused."""
        if self._lost:
            raise LeaseLost

    async def is_held(self, move_id: int) -> bool:
        """Whether some mover has the lease of another move. Raises DatabaseUnavailable."""
        return await self._records.is_leased(move_id)

    async def open_moves(self) -> Mapping[int, tuple[str, str]]:
        """Source and target of each move that isn't over. Raises DatabaseUnavailable."""
        return {move.id: (move.source, move.target) for move in await self._records.unfinished()}

    async def refresh(self) -> None:
        """Reads the record again, and renews the lease. Raises LeaseLost."""
        self.move = await self._records.renew(self.move)
        self.cancelled = self.move.cancelled

    async def advance(self, step: Step, **values: str | None) -> None:
        """Records the move's step, and more of its columns. Raises LeaseLost."""
        self.move = await self._records.advance(self.move, step, **values)

    async def note(self, problem: str) -> None:
        """Records what keeps the move from going on. Raises LeaseLost, DatabaseUnavailable."""
        await self._records.note(self.move, problem)

    async def note_insistently(self, problem: str) -> None:
        """Records a problem, and waits for the control database if it has to. Raises LeaseLost."""
        while True:
            self.require()
            try:
                await self.note(problem)
                return
            except DatabaseUnavailable:
                await asyncio.sleep(RETRY_SECONDS)

    def mark_moved(self, slot: int, pause_ms: int) -> None:
        """Updates this copy of the record after a cut-over, without reading it again."""
        slots = [
            replace(record, step=SlotStep.MOVED, pause_ms=pause_ms) if record.slot == slot else record
            for record in self.move.slots
        ]
        self.move = replace(self.move, slots=slots)

    async def leave_waiting_slots(self) -> None:
        """Records that the slots which haven't begun to move stay with the source. Raises LeaseLost."""
        await self.refresh()
        for slot in self.move.at(SlotStep.WAITING):
            await self.slots.settle(self.move, slot, SlotStep.WAITING, SlotStep.KEPT)

    async def begin_cleaning(self, **values: str) -> None:
        """Leaves the slots that haven't moved to the source, and goes on to the last step. Raises LeaseLost."""
        await self.leave_waiting_slots()
        await self.advance(Step.CLEANING, **values)
