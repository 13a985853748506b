"""Carries out a move from wherever it stands, as its mover for as long as he has the turn.

Each step is recorded before the next begins and may be carried out twice, so whoever takes over after a mover was
killed goes on from the last one recorded. What keeps a step from going on (a server that is away, a difference) is
recorded as the move's problem, and tried again.
"""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import asyncpg
import structlog

from gameserver.rules.errors import Conflict, DatabaseUnavailable, GameError
from gameserver.storage.ledger import partitions
from gameserver.storage.postgres.database import Database, Databases
from gameserver.storage.postgres.faults import LOST, translated
from gameserver.storage.sharding import copying, cutover
from gameserver.storage.sharding.copying import Copied, Copy
from gameserver.storage.sharding.cutover import Cutover, CutoverDelayed, RowsDiffer
from gameserver.storage.sharding.move import LeaseLost, MoveRecord, PlannedMove, SlotStep, Step
from gameserver.storage.sharding.records import MoveRecords
from gameserver.storage.tables import migrations
from gameserver.telemetry import MOVE_PAUSES

log = structlog.get_logger()

RENEW_SECONDS = 1.0
RETRY_SECONDS = 1.0
LOOK_SECONDS = 0.2
TRIES = 20
"""Cut-overs of one slot in a row that may be put off before everything is looked at anew."""


@dataclass(frozen=True, slots=True)
class MoveProgress:
    """What a mover tells of a move: how far the copy is, and what it waits for."""

    move: MoveRecord
    copied: Copied | None = None
    lag_ms: int | None = None
    note: str = ""

    @property
    def over(self) -> int:
        return sum(each.over for each in self.move.slots)

    @property
    def moved(self) -> int:
        return len(self.move.at(SlotStep.MOVED))

    @property
    def longest_pause_ms(self) -> int:
        return max((each.pause_ms or 0 for each in self.move.slots), default=0)


Tell = Callable[[MoveProgress], None]


class Mover:
    """One per process that moves; `name`, which no other has, is what others see of it."""

    def __init__(self, moves: MoveRecords, databases: Databases, name: str) -> None:
        self._moves = moves
        self._databases = databases
        self.name = name

    async def require_fit(self, plan: PlannedMove) -> None:
        """Raises Conflict, with the reason, for a move that couldn't be carried out; DatabaseUnavailable."""
        for name in (plan.source, plan.target):
            if name not in self._databases:
                raise Conflict(f"There is no database {name!r}.")
        source, target = self._databases[plan.source], self._databases[plan.target]
        with translated(plan.target):
            await copying.require_fit(source, target)
        for database in (source, target):
            if (revision := await migrations.current(database, plan.group)) != migrations.head(plan.group):
                at = revision or "nothing"
                raise Conflict(f"The {plan.group} tables of {database.name} are at {at}: run `gameserver migrate`.")

    async def take(self, move_id: int, tell: Tell) -> "LeasedMove":
        """Becomes the move's mover. Raises TurnLost while another one is, NotFound, DatabaseUnavailable."""
        return LeasedMove(self._moves, self._databases, await self._moves.take(move_id, self.name), tell)


class LeasedMove:
    """What its mover does to one move; the lease is renewed until `close`."""

    def __init__(self, moves: MoveRecords, databases: Databases, move: MoveRecord, tell: Tell) -> None:
        self._moves = moves
        self._move = move
        self._tell = tell
        self._source: Database = databases[move.source]
        self._target: Database = databases[move.target]
        slots = [each.slot for each in move.slots]
        self._copy = Copy(move.id, move.group, slots, self._source, self._target)
        self._lost = self._cancelled = False
        self._keeping = asyncio.create_task(self._keep())

    async def close(self) -> None:
        self._keeping.cancel()
        await asyncio.wait([self._keeping])

    async def _keep(self) -> None:
        """Renews the lease; what the mover does with a lease that is lost, the records refuse."""
        while not self._lost:
            await asyncio.sleep(RENEW_SECONDS)
            try:
                self._cancelled = (await self._moves.renew(self._move)).cancelled
            except LeaseLost:
                self._lost = True
            except DatabaseUnavailable as error:
                log.warning("a move's lease can't be renewed", move=self._move.id, error=error.detail)

    async def go_on(self) -> MoveRecord:
        """Goes on until the move is over, through whatever servers are away meanwhile; the move at its end.

        Raises TurnLost when another mover has taken over.
        """
        while True:
            try:
                async with self._opened(self._source) as source, self._opened(self._target) as target:
                    return await self._steps(source, target)
            except (*LOST, asyncpg.PostgresError, GameError, CutoverDelayed, RowsDiffer) as error:
                await self._rescue()
                if self._move.step is Step.DONE:
                    return self._move
                await self._wait(error)

    async def _rescue(self) -> None:
        """Needs the source alone: gives back what is being fenced, and lets go of its log if the move is to end."""
        try:
            async with self._opened(self._source) as source:
                await self._give_back(source)
                if self._move.cancelled or self._move.step is Step.CLEANING:
                    await self._copy.end_on_source(source, self._move.servers)
                flipped = self._move.at(SlotStep.FLIPPED, SlotStep.MOVED)
                if self._move.cancelled and not flipped and not await self._is_there(self._target):
                    await self._end_without_target()
        except (*LOST, asyncpg.PostgresError, GameError) as error:
            log.warning("a move's source doesn't answer", move=self._move.id, error=str(error))

    def _opened(self, database: Database) -> contextlib.AbstractAsyncContextManager[asyncpg.Connection]:
        return copying.opened(database, self._copy.mover)

    async def _is_there(self, database: Database) -> bool:
        try:
            async with self._opened(database):
                return True
        except LOST:
            return False

    async def _end_without_target(self) -> None:
        """Of a cancelled move of which nothing has flipped, every slot is free for another one at once."""
        await self._keep_waiting()
        left = f"{self._target.name} was away: once it is back, drop the subscription {self._copy.name} there"
        self._move = await self._moves.advance(self._move, Step.DONE, problem=left)

    async def _give_back(self, source: asyncpg.Connection) -> None:
        await self._look()
        for each in self._move.slots:
            if each.step is SlotStep.FENCING:
                await cutover.give_back(self._moves, source, self._move, each.slot, each.epoch)
            elif each.step is SlotStep.RETURNING:
                await cutover.end_return(self._moves, source, self._move, each.slot, each.epoch)

    async def _look(self) -> None:
        """Takes the move as it is recorded now. Raises TurnLost."""
        self._move = await self._moves.renew(self._move)
        self._cancelled = self._move.cancelled

    async def _wait(self, error: BaseException) -> None:
        problem = str(error) or type(error).__name__
        log.warning("a move waits", move=self._move.id, problem=problem)
        self._tell(MoveProgress(self._move, note=problem))
        await asyncio.sleep(RETRY_SECONDS)
        while True:
            if self._lost:
                raise LeaseLost
            try:
                await self._moves.note(self._move, problem)
                return
            except DatabaseUnavailable:
                await asyncio.sleep(RETRY_SECONDS)

    async def _steps(self, source: asyncpg.Connection, target: asyncpg.Connection) -> MoveRecord:
        await self._look()
        await self._copy.evict(source, target)
        await self._give_back(source)
        cutting = Cutover(self._moves, source, target)
        for slot in self._move.slots:
            if slot.step is SlotStep.FLIPPED:
                await cutting.grant(self._move, slot.slot, slot.epoch)
        await self._look()
        if self._move.step is Step.PLANNED:
            await self._begin_copy(source, target)
        if self._move.step is Step.COPYING:
            await self._await_copy(source, target)
        if self._move.step is Step.MOVING:
            await self._cut_over(cutting, source, target)
        if self._move.step is Step.CLEANING:
            await self._clean(source, target)
        self._tell(MoveProgress(self._move))
        return self._move

    async def _begin_copy(self, source: asyncpg.Connection, target: asyncpg.Connection) -> None:
        if self._cancelled:
            await self._close()
            return
        await copying.require_fit(self._source, self._target)
        await self._make_partitions()
        await self._copy.begin(source, target, self._move.servers)
        servers = await self._copy.servers(source, target)
        self._move = await self._moves.advance(self._move, Step.COPYING, servers=servers, problem=None)

    async def _await_copy(self, source: asyncpg.Connection, target: asyncpg.Connection) -> None:
        errors = 0
        while not self._cancelled:
            if await self._copy.servers(source, target) != self._move.servers:
                await self._begin_anew()
            copied = await self._copy.copied(source, target)
            self._tell(MoveProgress(self._move, copied))
            if copied.ready:
                self._move = await self._moves.advance(self._move, Step.MOVING, problem=None)
                return
            self._require_turn()
            if copied.errors > errors:
                errors = copied.errors
                told = f"the copy has failed {errors} times and is tried again: see the log of {self._target.name}"
                await self._moves.note(self._move, told)
                await self._make_partitions()
            await asyncio.sleep(LOOK_SECONDS)
        await self._close()

    async def _cut_over(self, cutting: Cutover, source: asyncpg.Connection, target: asyncpg.Connection) -> None:
        if await self._copy.servers(source, target) != self._move.servers:
            await self._begin_anew()
            return
        for slot in self._move.at(SlotStep.WAITING):
            self._require_turn()
            if self._cancelled:
                break
            try:
                pause = await self._one(cutting, slot)
            except RowsDiffer as difference:
                await self._close(problem=str(difference))
                return
            MOVE_PAUSES.labels(self._move.group).observe(pause / 1000)
            self._note(slot, pause)
            self._tell(MoveProgress(self._move, lag_ms=cutting.lag_ms))
        await self._close()

    async def _begin_anew(self) -> None:
        """After a failover on either side; what has moved by then has, and the rest is for another move."""
        why = "a server is another one now, or the copy has lost its log"
        if self._move.at(SlotStep.MOVED):
            await self._close(problem=f"{why}: move the rest again")
            return
        self._move = await self._moves.advance(self._move, Step.PLANNED)
        raise CutoverDelayed(f"{why}: it begins anew")

    async def _one(self, cutting: Cutover, slot: int) -> int:
        attempt = 0
        while True:
            try:
                return await cutting.carry_out(self._move, slot)
            except CutoverDelayed as slow:
                attempt += 1
                if attempt == TRIES:
                    raise
                self._require_turn()
                self._tell(MoveProgress(self._move, note=f"slot {slot}: {slow}"))
            await self._make_partitions()
            await asyncio.sleep(LOOK_SECONDS)

    async def _make_partitions(self) -> None:
        """The target needs those of the source, or what comes for one that it lacks halts the copy."""
        if self._move.group == "players":
            await partitions.copy_partitions(self._source, self._target)

    def _note(self, slot: int, pause: int | None) -> None:
        """Keeps our idea of the move's slots up with the record, without asking for it again."""
        slots = [
            replace(each, step=SlotStep.MOVED, pause_ms=pause) if each.slot == slot else each
            for each in self._move.slots
        ]
        self._move = replace(self._move, slots=slots)

    async def _close(self, **values: str) -> None:
        """Leaves the slots that haven't moved to the source, and begins to clean."""
        await self._keep_waiting()
        self._move = await self._moves.advance(self._move, Step.CLEANING, **values)

    async def _keep_waiting(self) -> None:
        await self._look()
        for slot in self._move.at(SlotStep.WAITING):
            await self._moves.settle(self._move, slot, SlotStep.WAITING, SlotStep.KEPT, None)

    async def _clean(self, source: asyncpg.Connection, target: asyncpg.Connection) -> None:
        """The copy first: what is erased on the source while it goes on would be erased on the target."""
        await self._copy.end(source, target, self._move.servers)
        self._tell(MoveProgress(self._move, note="erasing what has moved"))
        await self._look()
        for each in self._move.slots:
            self._require_turn()
            if each.step is SlotStep.MOVED:
                await cutover.require_granted(source, target, self._move, each.slot, each.epoch)
            await self._copy.erase(source if each.step is SlotStep.MOVED else target, [each.slot])
        for connection in (source, target):
            await self._copy.forget_marks(connection)
        self._move = await self._moves.advance(self._move, Step.DONE)

    def _require_turn(self) -> None:
        if self._lost:
            raise LeaseLost
