"""The record of every move of slots, in the control database, and the one compare-and-set that commits a slot's.

Law: a move has one mover at a time, by a lease; each of his turns has a number, and whatever he records is refused
once somebody else has taken his turn. A slot goes waiting → fencing → flipped → moved. Only fencing → flipped changes
the map, in the same transaction, and only forward from there; from fencing it may also go back, by way of returning.
Epochs of a slot rise with every step that changes who may write, so a late statement of an earlier mover changes
nothing. A slot is in one move that isn't over, at the most.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import and_, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from gameserver.rules import ranges
from gameserver.rules.errors import Conflict, NotFound
from gameserver.storage import tables
from gameserver.storage.postgres.database import Database
from gameserver.storage.sharding.move import LeaseLost, MoveRecord, PlannedMove, SlotRecord, SlotStep, Step
from gameserver.storage.slots.slot_map import CHANNEL

LEASE = timedelta(seconds=4)
"""How long a mover may be silent before another one takes his turn; he renews it every second."""
MOVES, SLOTS, MAP, MEMBERS = tables.moves, tables.move_slots, tables.slots, tables.members


class MoveRecords:
    """Every method raises DatabaseUnavailable while the control database is away."""

    def __init__(self, control: Database) -> None:
        self._control = control

    async def make(self, plans: Sequence[PlannedMove], mover: str) -> list[int]:
        """Records moves, all or none, for this mover to begin with; their ids. Raises Conflict with the reason."""
        try:
            async with self._control.transaction() as connection:
                return [await _make(connection, plan, mover) for plan in plans]
        except IntegrityError:
            raise Conflict("Some of these slots are in a move already that isn't over: see `slots moves`.") from None

    async def find(self, move_id: int) -> MoveRecord:
        """Raises NotFound."""
        found = await self._select(MOVES.c.id == move_id)
        if not found:
            raise NotFound(f"There is no move {move_id}.")
        return found[0]

    async def unfinished(self) -> list[MoveRecord]:
        """The moves that aren't over, oldest first."""
        return await self._select(MOVES.c.ended_at.is_(None))

    async def lapsed(self) -> list[tuple[int, bool]]:
        """The ids of those that have no mover any more, and whether their copy is still to be made."""
        gone = (MOVES.c.ended_at.is_(None), MOVES.c.lease < func.clock_timestamp())
        chosen = select(MOVES.c.id, MOVES.c.step.in_([Step.PLANNED, Step.COPYING])).where(*gone)
        async with self._control.snapshot() as connection:
            return [(row[0], row[1]) for row in await connection.execute(chosen.order_by(MOVES.c.id))]

    async def take(self, move_id: int, mover: str) -> MoveRecord:
        """Begins a turn as the move's mover. Raises TurnLost while another one is, or when it is over."""
        idle = or_(MOVES.c.lease < func.clock_timestamp(), MOVES.c.mover == mover)
        free = and_(MOVES.c.id == move_id, MOVES.c.ended_at.is_(None), idle)
        taken = update(MOVES).where(free).values(mover=mover, turn=MOVES.c.turn + 1, lease=_lease())
        async with self._control.transaction() as connection:
            if (await connection.execute(taken.returning(MOVES.c.id))).first() is None:
                raise LeaseLost
        return await self.find(move_id)

    async def renew(self, move: MoveRecord) -> MoveRecord:
        """Holds the turn for longer; the move as it is now. Raises TurnLost."""
        await self._record(move, update(MOVES).where(MOVES.c.id == move.id).values(lease=_lease()))
        return await self.find(move.id)

    async def note(self, move: MoveRecord, problem: str) -> None:
        """Records what keeps the move from going on. Raises TurnLost."""
        noted = update(MOVES).where(MOVES.c.id == move.id).values(problem=problem, lease=_lease())
        await self._record(move, noted)

    async def advance(self, move: MoveRecord, step: Step, **values: str | None) -> MoveRecord:
        """Records the step, and more of the move's columns. Raises TurnLost."""
        recorded = {**values, "step": step, "lease": _lease()}
        async with self._control.transaction() as connection:
            await _hold(connection, move)
            if step is Step.DONE:
                recorded["ended_at"] = func.clock_timestamp()
                await connection.execute(update(SLOTS).where(SLOTS.c.move == move.id).values(open=False))
            await connection.execute(update(MOVES).where(MOVES.c.id == move.id).values(recorded))
        return await self.find(move.id)

    async def cancel(self, move_id: int) -> None:
        """Asks the mover to leave the slots that haven't moved yet where they are. Raises Conflict, NotFound."""
        asked = update(MOVES).where(MOVES.c.id == move_id, MOVES.c.ended_at.is_(None)).values(cancelled=True)
        async with self._control.transaction() as connection:
            if (await connection.execute(asked.returning(MOVES.c.id))).first() is not None:
                return
        await self.find(move_id)
        raise Conflict(f"Move {move_id} is over.")

    async def begin_fencing(self, move: MoveRecord, slot: int) -> int:
        """waiting → fencing; the epoch of the source's fence. Raises TurnLost."""
        async with self._control.transaction() as connection:
            await _hold(connection, move)
            epoch = await _epoch(connection, move.group, slot) + 1
            await _step(connection, move, slot, SlotStep.WAITING, {"step": SlotStep.FENCING, "epoch": epoch})
            return epoch

    async def flip(self, move: MoveRecord, slot: int, epoch: int) -> int:
        """fencing → flipped: the commit point, after which the target is the owner; the epoch of its grant.

        Raises TurnLost, also when the slot isn't fencing under this epoch any more.
        """
        async with self._control.transaction() as connection:
            await _hold(connection, move)
            values = {"step": SlotStep.FLIPPED, "epoch": epoch + 1}
            await _step(connection, move, slot, SlotStep.FENCING, values, epoch)
            await _place(connection, move, slot, move.target, epoch + 1)
            await connection.execute(select(func.pg_notify(CHANNEL, move.group)))
            return epoch + 1

    async def begin_return(self, move: MoveRecord, slot: int, epoch: int) -> None:
        """fencing → returning: the slot stays with the source, under a higher epoch. Raises TurnLost."""
        async with self._control.transaction() as connection:
            await _hold(connection, move)
            values = {"step": SlotStep.RETURNING, "epoch": epoch + 1}
            await _step(connection, move, slot, SlotStep.FENCING, values, epoch)
            await _place(connection, move, slot, move.source, epoch + 1)

    async def settle(
        self, move: MoveRecord, slot: int, before: SlotStep, after: SlotStep, pause_ms: int | None
    ) -> None:
        """flipped → moved, returning → waiting, waiting → kept. Raises TurnLost."""
        async with self._control.transaction() as connection:
            await _hold(connection, move)
            await _step(connection, move, slot, before, {"step": after, "pause_ms": pause_ms})

    async def _record(self, move: MoveRecord, statement: Any) -> None:
        async with self._control.transaction() as connection:
            await _hold(connection, move)
            await connection.execute(statement)

    async def _select(self, condition: Any) -> list[MoveRecord]:
        columns = [MOVES.c[name] for name in MoveRecord.__dataclass_fields__ if name != "slots"]
        async with self._control.snapshot() as connection:
            moves = (await connection.execute(select(*columns).where(condition).order_by(MOVES.c.id))).mappings().all()
            ids = [row["id"] for row in moves]
            chosen = select(SLOTS).where(SLOTS.c.move.in_(ids)).order_by(SLOTS.c.move, SLOTS.c.slot)
            slots = (await connection.execute(chosen)).mappings().all()
        return [
            MoveRecord(
                **{**row, "step": Step(row["step"])},
                slots=[_slot(each) for each in slots if each["move"] == row["id"]],
            )
            for row in moves
        ]


def _slot(row: Any) -> SlotRecord:
    return SlotRecord(row["slot"], SlotStep(row["step"]), row["epoch"], row["pause_ms"])


def _lease() -> Any:
    return func.clock_timestamp() + LEASE


async def _make(connection: AsyncConnection, plan: PlannedMove, mover: str) -> int:
    await _require_member(connection, plan.group, plan.target)
    mine = select(MAP.c.slot).where(MAP.c.group == plan.group, MAP.c.database == plan.source)
    owned = set((await connection.execute(mine.with_for_update(read=True))).scalars())
    if strange := sorted(set(plan.slots) - owned):
        raise Conflict(f"{plan.source} doesn't own these slots of {plan.group}: {ranges.shown(strange)}.")
    values = {
        "group": plan.group, "source": plan.source, "target": plan.target, "step": Step.PLANNED, "turn": 0,
        "mover": mover, "lease": func.clock_timestamp() + LEASE, "cancelled": False, "servers": "",
    }  # fmt: skip
    made: int = (await connection.execute(insert(MOVES).values(values).returning(MOVES.c.id))).scalar_one()
    await connection.execute(
        insert(SLOTS),
        [
            {"move": made, "slot": slot, "group": plan.group, "step": SlotStep.WAITING, "epoch": 0, "open": True}
            for slot in plan.slots
        ],
    )
    return made


async def _require_member(connection: AsyncConnection, group: str, database: str) -> None:
    chosen = select(MEMBERS.c.draining).where(MEMBERS.c.group == group, MEMBERS.c.database == database)
    draining = (await connection.execute(chosen.with_for_update(read=True))).scalar()
    if draining is None:
        raise Conflict(f"{database} isn't a database of {group}: add it first, by `databases add`.")
    if draining:
        raise Conflict(f"{database} is being drained: no slot can be moved to it.")


async def _hold(connection: AsyncConnection, move: MoveRecord) -> None:
    """Locks the move's row, if the turn is still the mover's. Raises TurnLost."""
    mine = select(MOVES.c.id).where(MOVES.c.id == move.id, MOVES.c.turn == move.turn, MOVES.c.ended_at.is_(None))
    if (await connection.execute(mine.with_for_update())).first() is None:
        raise LeaseLost


async def _epoch(connection: AsyncConnection, group: str, slot: int) -> int:
    chosen = select(MAP.c.epoch).where(MAP.c.group == group, MAP.c.slot == slot)
    epoch: int = (await connection.execute(chosen)).scalar_one()
    return epoch


async def _step(
    connection: AsyncConnection, move: MoveRecord, slot: int, before: SlotStep, values: Any, epoch: int | None = None
) -> None:
    mine = (SLOTS.c.move == move.id) & (SLOTS.c.slot == slot) & (SLOTS.c.step == before)
    if epoch is not None:
        mine &= SLOTS.c.epoch == epoch
    if (await connection.execute(update(SLOTS).where(mine).values(values).returning(SLOTS.c.slot))).first() is None:
        raise LeaseLost


async def _place(connection: AsyncConnection, move: MoveRecord, slot: int, database: str, epoch: int) -> None:
    mine = (MAP.c.group == move.group) & (MAP.c.slot == slot) & (MAP.c.database == move.source)
    placed = update(MAP).where(mine, MAP.c.epoch < epoch).values(database=database, epoch=epoch)
    if (await connection.execute(placed.returning(MAP.c.slot))).first() is None:
        raise LeaseLost
