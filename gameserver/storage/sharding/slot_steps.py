"""The steps of one slot in the control database, each a compare-and-set; one of them commits the slot's move.

Law: a slot goes waiting → fencing → flipped → moved. Only fencing → flipped changes the map, in the same transaction,
and from there it only goes on; from fencing it may also go back, through returning, to waiting. Its epoch rises with
every step that changes who may write, so a late statement of an earlier mover changes nothing.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gameserver.storage import tables
from gameserver.storage.postgres.database import Database
from gameserver.storage.sharding.move import LeaseLost, MoveRecord, SlotStep
from gameserver.storage.slots.slot_map import CHANNEL

MOVES, SLOTS, MAP = tables.moves, tables.move_slots, tables.slots


class SlotSteps:
    """Every method raises LeaseLost when it finds the record changed, and DatabaseUnavailable."""

    def __init__(self, control: Database) -> None:
        self._control = control

    async def epoch(self, move: MoveRecord, slot: int) -> int:
        """The slot's epoch by the map."""
        async with self._control.snapshot() as connection:
            return await _epoch(connection, move.group, slot)

    async def begin_fencing(self, move: MoveRecord, slot: int) -> int:
        """waiting → fencing; returns the epoch of the source's fence."""
        async with under_lease(self._control, move) as connection:
            epoch = await _epoch(connection, move.group, slot) + 1
            await _step(connection, move, slot, SlotStep.WAITING, {"step": SlotStep.FENCING, "epoch": epoch})
            return epoch

    async def flip(self, move: MoveRecord, slot: int, epoch: int) -> int:
        """fencing → flipped, the commit point: the target is the owner from here on; returns the epoch of its grant.

        Raises LeaseLost also when the slot isn't fencing under this epoch any more.
        """
        async with under_lease(self._control, move) as connection:
            values = {"step": SlotStep.FLIPPED, "epoch": epoch + 1}
            await _step(connection, move, slot, SlotStep.FENCING, values, epoch)
            await _set_owner(connection, move, slot, move.target, epoch + 1)
            await connection.execute(select(func.pg_notify(CHANNEL, move.group)))
            return epoch + 1

    async def begin_return(self, move: MoveRecord, slot: int, epoch: int) -> None:
        """fencing → returning: the slot stays with the source, under a higher epoch."""
        async with under_lease(self._control, move) as connection:
            values = {"step": SlotStep.RETURNING, "epoch": epoch + 1}
            await _step(connection, move, slot, SlotStep.FENCING, values, epoch)
            await _set_owner(connection, move, slot, move.source, epoch + 1)

    async def settle(
        self, move: MoveRecord, slot: int, before: SlotStep, after: SlotStep, pause_ms: int | None = None
    ) -> None:
        """flipped → moved, returning → waiting, waiting → kept."""
        async with under_lease(self._control, move) as connection:
            await _step(connection, move, slot, before, {"step": after, "pause_ms": pause_ms})


@asynccontextmanager
async def under_lease(control: Database, move: MoveRecord) -> AsyncIterator[AsyncConnection]:
    """A transaction that holds the move's row, while this lease is the move's latest one. Raises LeaseLost."""
    latest = select(MOVES.c.id).where(MOVES.c.id == move.id, MOVES.c.turn == move.turn, MOVES.c.ended_at.is_(None))
    async with control.transaction() as connection:
        if (await connection.execute(latest.with_for_update())).first() is None:
            raise LeaseLost
        yield connection


async def _epoch(connection: AsyncConnection, group: str, slot: int) -> int:
    query = select(MAP.c.epoch).where(MAP.c.group == group, MAP.c.slot == slot)
    epoch: int = (await connection.execute(query)).scalar_one()
    return epoch


async def _step(
    connection: AsyncConnection, move: MoveRecord, slot: int, before: SlotStep, values: Any, epoch: int | None = None
) -> None:
    expected = (SLOTS.c.move == move.id) & (SLOTS.c.slot == slot) & (SLOTS.c.step == before)
    if epoch is not None:
        expected &= SLOTS.c.epoch == epoch
    changed = await connection.execute(update(SLOTS).where(expected).values(values).returning(SLOTS.c.slot))
    if changed.first() is None:
        raise LeaseLost


async def _set_owner(connection: AsyncConnection, move: MoveRecord, slot: int, database: str, epoch: int) -> None:
    expected = (MAP.c.group == move.group) & (MAP.c.slot == slot) & (MAP.c.database == move.source)
    changed = update(MAP).where(expected, MAP.c.epoch < epoch).values(database=database, epoch=epoch)
    if (await connection.execute(changed.returning(MAP.c.slot))).first() is None:
        raise LeaseLost
