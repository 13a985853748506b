"""The records of moves in the control database, and the lease by which each has one mover at a time.

Law: leases of a move are numbered (`turn`). A mover renews its lease; once that has lapsed and another process has
taken a lease with a higher number, whatever the first one records is refused. A slot is in at most one move that isn't
over.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import and_, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from gameserver.rules import ranges
from gameserver.rules.errors import Conflict, NotFound
from gameserver.storage import tables
from gameserver.storage.postgres.database import Database
from gameserver.storage.sharding.membership import drain
from gameserver.storage.sharding.move import LeaseLost, MoveRecord, PlannedMove, SlotRecord, SlotStep, Step
from gameserver.storage.sharding.slot_steps import SlotSteps, under_lease
from gameserver.storage.tables import migrations

LEASE = timedelta(seconds=4)
"""How long a mover may be silent before another one may take the lease; it renews it every second."""
NOBODY = ""
"""The mover of a move that no process has taken yet."""
BUSY = "Some of these slots are in a move already that isn't over: see `slots moves`."
KEPT = timedelta(days=30)
"""How long the record of a move is stored after its end."""
MOVES, SLOTS, MAP, MEMBERS = tables.moves, tables.move_slots, tables.slots, tables.members


class MoveRecords:
    """Every method raises DatabaseUnavailable while the control database is away."""

    def __init__(self, control: Database) -> None:
        self._control = control
        self.slots = SlotSteps(control)

    async def make(
        self,
        plans: Sequence[PlannedMove],
        mover: str,
        command_id: str | None = None,
        *,
        drained: str | None = None,
    ) -> list[int]:
        """Records the moves, all or none, leased to this mover; returns their ids. Raises Conflict with the reason.

        With them, the database `drained` is given no more slots.
        """
        commands = [(command_id, None if command_id is None else part) for part in range(len(plans))]
        try:
            async with self._control.transaction() as connection:
                if drained is not None:
                    await drain(connection, drained)
                return [
                    await _make(connection, plan, mover, command) for plan, command in zip(plans, commands, strict=True)
                ]
        except IntegrityError:
            raise Conflict(BUSY) from None

    async def order(self, plans: Sequence[PlannedMove], command_id: str, *, drained: str | None = None) -> list[int]:
        """Records the moves, all or none, for whichever node is the first to take them; returns their ids.

        With them, the database `drained` is given no more slots. Sent again under the same command id it records
        nothing. Raises Conflict with the reason.
        """
        try:
            return await self.make(plans, NOBODY, command_id, drained=drained)
        except Conflict:
            if ordered := await self.ordered(command_id):
                return ordered
            raise

    async def ordered(self, command_id: str) -> list[int]:
        """The ids of the moves that a command has ordered before."""
        async with self._control.snapshot() as connection:
            query = select(MOVES.c.id).where(MOVES.c.command_id == command_id).order_by(MOVES.c.id)
            return list((await connection.execute(query)).scalars())

    async def deployment(self) -> str:
        """The id of the deployment whose moves these are, and its control database's name, which tells it from a copy
        of it on the same server. Raises Conflict while no `migrate` has recorded it to its end."""
        async with self._control.snapshot() as connection:
            query = select(tables.control_identity.c.deployment, func.current_database())
            if (row := (await connection.execute(query)).one_or_none()) is None:
                raise Conflict("The control database doesn't know its deployment: run `gameserver migrate`.")
            return " ".join(row)

    async def find(self, move_id: int) -> MoveRecord:
        """Raises NotFound."""
        records = await self._select(MOVES.c.id == move_id)
        if not records:
            raise NotFound(f"There is no move {move_id}.")
        return records[0]

    async def unfinished(self) -> list[MoveRecord]:
        """The moves that aren't over, oldest first."""
        return await self._select(MOVES.c.ended_at.is_(None))

    async def recent(self, most: int) -> list[MoveRecord]:
        """The moves that aren't over, and the last ones that are, up to `most`; newest first."""
        newest = select(MOVES.c.id).order_by(MOVES.c.ended_at.is_(None).desc(), MOVES.c.id.desc()).limit(most)
        return (await self._select(MOVES.c.id.in_(newest)))[::-1]

    async def lapsed(self, known: Collection[str]) -> list[tuple[int, bool]]:
        """The ids of moves between these databases whose lease has lapsed, and whether their copy is to be made yet."""
        lapsed = (MOVES.c.ended_at.is_(None), MOVES.c.lease < func.clock_timestamp(),
                  MOVES.c.source.in_(known), MOVES.c.target.in_(known))  # fmt: skip
        query = select(MOVES.c.id, MOVES.c.step.in_([Step.PLANNED, Step.COPYING])).where(*lapsed)
        async with self._control.snapshot() as connection:
            return [(row[0], row[1]) for row in await connection.execute(query.order_by(MOVES.c.id))]

    async def is_leased(self, move_id: int) -> bool:
        """Whether a mover has the lease of a move that isn't over."""
        leased = (MOVES.c.id == move_id, MOVES.c.ended_at.is_(None), MOVES.c.lease >= func.clock_timestamp())
        async with self._control.snapshot() as connection:
            return (await connection.execute(select(MOVES.c.id).where(*leased))).first() is not None

    async def take(self, move_id: int, mover: str) -> MoveRecord:
        """Takes the move's next lease. Raises LeaseLost while another mover holds one, or when the move is over."""
        free = or_(MOVES.c.lease < func.clock_timestamp(), MOVES.c.mover == mover)
        takable = and_(MOVES.c.id == move_id, MOVES.c.ended_at.is_(None), free)
        taken = update(MOVES).where(takable).values(mover=mover, turn=MOVES.c.turn + 1, lease=_lease())
        async with self._control.transaction() as connection:
            if (await connection.execute(taken.returning(MOVES.c.id))).first() is None:
                raise LeaseLost
        return await self.find(move_id)

    async def renew(self, move: MoveRecord) -> MoveRecord:
        """Renews the lease; returns the move as it is recorded now. Raises LeaseLost."""
        async with under_lease(self._control, move) as connection:
            await connection.execute(update(MOVES).where(MOVES.c.id == move.id).values(lease=_lease()))
        return await self.find(move.id)

    async def note(self, move: MoveRecord, problem: str) -> None:
        """Records what keeps the move from going on, and renews the lease. Raises LeaseLost."""
        async with under_lease(self._control, move) as connection:
            noted = update(MOVES).where(MOVES.c.id == move.id).values(problem=problem, lease=_lease())
            await connection.execute(noted)

    async def advance(self, move: MoveRecord, step: Step, **values: str | None) -> MoveRecord:
        """Records the step, and more of the move's columns. Raises LeaseLost."""
        recorded = {**values, "step": step, "lease": _lease()}
        async with under_lease(self._control, move) as connection:
            if step is Step.DONE:
                recorded["ended_at"] = func.clock_timestamp()
                await connection.execute(update(SLOTS).where(SLOTS.c.move == move.id).values(open=False))
            await connection.execute(update(MOVES).where(MOVES.c.id == move.id).values(recorded))
        return await self.find(move.id)

    async def cancel(self, move_id: int) -> None:
        """Asks the mover to leave the slots that haven't moved yet where they are. Raises Conflict, NotFound."""
        cancelled = update(MOVES).where(MOVES.c.id == move_id, MOVES.c.ended_at.is_(None)).values(cancelled=True)
        async with self._control.transaction() as connection:
            if (await connection.execute(cancelled.returning(MOVES.c.id))).first() is not None:
                return
        await self.find(move_id)
        raise Conflict(f"Move {move_id} is over.")

    async def forget_old(self, most: int) -> int:
        """Deletes the records of at most so many moves that have been over for longer than KEPT; how many."""
        over = select(MOVES.c.id).where(MOVES.c.ended_at < func.clock_timestamp() - KEPT)
        async with self._control.transaction() as connection:
            ids = (await connection.execute(over.order_by(MOVES.c.id).limit(most))).scalars().all()
            await connection.execute(delete(SLOTS).where(SLOTS.c.move.in_(ids)))
            await connection.execute(delete(MOVES).where(MOVES.c.id.in_(ids)))
        return len(ids)

    async def _select(self, condition: Any) -> list[MoveRecord]:
        columns = [MOVES.c[name] for name in MoveRecord.__dataclass_fields__ if name != "slots"]
        async with self._control.snapshot() as connection:
            moves = (await connection.execute(select(*columns).where(condition).order_by(MOVES.c.id))).mappings().all()
            ids = [row["id"] for row in moves]
            query = select(SLOTS).where(SLOTS.c.move.in_(ids)).order_by(SLOTS.c.move, SLOTS.c.slot)
            slots = (await connection.execute(query)).mappings().all()
        return [
            MoveRecord(
                **{**row, "step": Step(row["step"])},
                slots=[_slot_record(slot) for slot in slots if slot["move"] == row["id"]],
            )
            for row in moves
        ]


async def require_unmoved(control: Database, database: Database, group: str, parts: Iterable[Database]) -> None:
    """Raises Conflict while slots of tables that would change are moved from or to one of `parts`; DatabaseUnavailable.

    One that begins afterwards begins again when it sees that the tables were changed.
    """
    if await migrations.current(database, group) == migrations.head(group):
        return
    names = {part.name for part in parts}
    moves = await MoveRecords(control).unfinished()
    if any(move.group == group and not names.isdisjoint((move.source, move.target)) for move in moves):
        raise Conflict(f"Slots of {group} are being moved: wait, or cancel that, before its tables change.")


def _slot_record(row: Any) -> SlotRecord:
    return SlotRecord(row["slot"], SlotStep(row["step"]), row["epoch"], row["pause_ms"])


def _lease() -> Any:
    return func.clock_timestamp() + LEASE


async def _make(
    connection: AsyncConnection,
    plan: PlannedMove,
    mover: str,
    command: tuple[str | None, int | None],
) -> int:
    """`command` is the command that the move is part of, and which part."""
    await _require_member(connection, plan.group, plan.target)
    await _require_owner(connection, plan)
    lease = func.clock_timestamp() + (LEASE if mover != NOBODY else timedelta())
    values = {
        "group": plan.group, "source": plan.source, "target": plan.target, "step": Step.PLANNED, "turn": 0,
        "mover": mover, "lease": lease, "cancelled": False, "servers": "",
        "command_id": command[0], "part": command[1],
    }  # fmt: skip
    move_id: int = (await connection.execute(insert(MOVES).values(values).returning(MOVES.c.id))).scalar_one()
    await connection.execute(
        insert(SLOTS),
        [
            {"move": move_id, "slot": slot, "group": plan.group, "step": SlotStep.WAITING, "epoch": 0, "open": True}
            for slot in plan.slots
        ],
    )
    return move_id


async def _require_member(connection: AsyncConnection, group: str, database: str) -> None:
    query = select(MEMBERS.c.draining).where(MEMBERS.c.group == group, MEMBERS.c.database == database)
    draining = (await connection.execute(query.with_for_update(read=True))).scalar()
    if draining is None:
        raise Conflict(f"{database} isn't a database of {group}: add it first, by `databases add`.")
    if draining:
        raise Conflict(f"{database} is being drained: no slot can be moved to it.")


async def _require_owner(connection: AsyncConnection, plan: PlannedMove) -> None:
    query = select(MAP.c.slot).where(MAP.c.group == plan.group, MAP.c.database == plan.source)
    owned = set((await connection.execute(query.with_for_update(read=True))).scalars())
    if foreign := sorted(set(plan.slots) - owned):
        raise Conflict(f"{plan.source} doesn't own these slots of {plan.group}: {ranges.shown(foreign)}.")
