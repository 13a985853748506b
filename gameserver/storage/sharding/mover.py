"""Carries out moves: one mover per process, which leases a move and tries until it is over.

Law: whoever takes over after a mover was killed goes on from the step recorded last. Whatever keeps an attempt from
going on (a server that is away, a target that lags) is recorded as the move's problem, and tried again; rows that
differ, or take too long to compare, end the move.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Never

import asyncpg
import structlog

from gameserver.rules.errors import Conflict, DatabaseUnavailable, GameError
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.databases import Databases
from gameserver.storage.postgres.faults import LOST, translated
from gameserver.storage.postgres.passfile import PassfileFault
from gameserver.storage.sharding import copying, cutover, standing_in
from gameserver.storage.sharding.attempt import Attempt, CopyFailed, MoveProgress, Tell
from gameserver.storage.sharding.copying import Copy
from gameserver.storage.sharding.cutover import CutoverDelayed
from gameserver.storage.sharding.lease import RETRY_SECONDS, MoveLease
from gameserver.storage.sharding.move import LeaseLost, MoveRecord, PlannedMove, SlotStep, Step
from gameserver.storage.sharding.records import MoveRecords
from gameserver.storage.sharding.standing_in import CopyStandsIn
from gameserver.storage.tables import migrations
from gameserver.waiting import cancel_and_wait

LOOK_SECONDS = 0.2
"""How often is looked whether a copy stands in for a standby; what is committed in between this can't prevent."""
EXPECTED = (*LOST, asyncpg.PostgresError, GameError, CutoverDelayed)
"""What keeps an attempt from going on, and what a later one may find ended."""
log = structlog.get_logger()
Objection = Callable[[Database, Database], Awaitable[str | None]]
"""Why slots can't be moved from the one database to the other, by whatever else has power over the servers; None if
they can. Raises DatabaseUnavailable."""


async def nobody_objects(source: Database, target: Database) -> str | None:  # noqa: ARG001 - an Objection
    """For servers over which nothing else has power."""
    return None


class Mover:
    """One per process that moves slots; others see it by `name`, which must be unique."""

    def __init__(
        self, records: MoveRecords, databases: Databases, name: str, objection: Objection = nobody_objects
    ) -> None:
        self._records = records
        self._objection = objection
        self._databases = databases
        self.name = name

    async def require_fit(self, plan: PlannedMove) -> None:
        """Raises Conflict, with the reason, for a move that couldn't be carried out; DatabaseUnavailable."""
        for name in (plan.source, plan.target):
            self._require_known(name)
        source, target = self._databases[plan.source], self._databases[plan.target]
        with translated(plan.target):
            await copying.require_fit(source, target)
        if (reason := await self._objection(source, target)) is not None:
            raise Conflict(reason)
        for database in (source, target):
            await migrations.require_head(database, plan.group)

    def _require_known(self, name: str) -> None:
        if name not in self._databases:
            raise Conflict(f"There is no database {name!r}.")

    async def take(self, move_id: int, tell: Tell) -> "LeasedMove":
        """Leases the move, and reports on it to `tell`.

        Raises LeaseLost while another mover holds the lease, Conflict for a move between databases that aren't known
        here, NotFound, DatabaseUnavailable.
        """
        move = await self._records.find(move_id)
        for name in (move.source, move.target):
            self._require_known(name)
        deployment = await self._records.deployment()
        copy = Copy(move, deployment, self._databases[move.source], self._databases[move.target])
        # The lease last: whoever has it is waited for by all others.
        lease = MoveLease(self._records, await self._records.take(move_id, self.name))
        return LeasedMove(lease, copy, tell, self._objection)

    async def lapsed(self) -> list[tuple[int, bool]]:
        """The ids of moves that it can take and nobody has, and whether their copy is to be made yet.

        Raises DatabaseUnavailable.
        """
        return await self._records.lapsed(self._databases.names())


class LeasedMove:
    """A move in the hands of its mover, until `close`."""

    def __init__(self, lease: MoveLease, copy: Copy, tell: Tell, objection: Objection) -> None:
        self._lease = lease
        self._objection = objection
        self._tell = tell
        self.copy = copy
        self.waits = False
        """Whether the last attempt has lost a server, and the next one hasn't reached both; or its copy has failed or
        was paused, or nobody knows why it failed, and the next one hasn't its turn."""

    async def close(self) -> None:
        """Stops renewing the lease."""
        await self._lease.close()

    async def go_on(self) -> MoveRecord:
        """Tries until the move is over, whichever servers are away meanwhile; returns the move's last record.

        Raises LeaseLost when another mover has taken over, and Conflict if this process can't use its password file.
        """
        copy, lease, failed = self.copy, self._lease, False
        while True:
            try:
                await self._require_no_objection()
                async with copy.opened(copy.source) as source, copy.opened(copy.target) as target:
                    self.waits = failed
                    attempt = Attempt(lease, copy, source, target, self._tell)
                    return await _watched(copy, attempt.carry_out(self._stop_waiting))
            except LeaseLost:
                raise
            except PassfileFault as error:
                # Another process may have the passwords: the lease is left to it.
                raise Conflict(str(error)) from error
            except Exception as error:
                if not isinstance(error, (*EXPECTED, CopyFailed, CopyStandsIn)):
                    log.exception("a move has failed, and is tried again", move=lease.move.id)
                failed = not isinstance(error, EXPECTED)
                self.waits = failed or isinstance(error, (*LOST, DatabaseUnavailable))
                await self._rescue()
                if lease.move.step is Step.DONE:
                    return lease.move
                await self._wait(error)

    def _stop_waiting(self) -> None:
        self.waits = False

    async def _require_no_objection(self) -> None:
        """Before a copy begins. Raises Conflict."""
        if self._lease.move.step is Step.PLANNED and not self._lease.cancelled:
            reason = await self._objection(self.copy.source, self.copy.target)
            if reason is not None:
                raise Conflict(reason)

    async def give_back(self, source: asyncpg.Connection) -> None:
        """Returns to the source whatever is between fence and flip. Raises LeaseLost."""
        await self._lease.refresh()
        await cutover.give_back_all(self._lease.slots, source, self._lease.move)

    async def _rescue(self) -> None:
        """Does what needs the source alone, so that a target that is away holds up no player and fills no disk."""
        copy, lease = self.copy, self._lease
        try:
            async with copy.opened(copy.source) as source:
                # Only who still has the lease evicts others; one that was frozen makes nothing anew of what ends here.
                await lease.refresh()
                await copy.evict(source)
                # Slots under the fence can be written again.
                await self.give_back(source)
                await copy.recall(source, lease.move.step)
                # The source stops storing log for a copy that is to end.
                if lease.move.cancelled or lease.move.step is Step.CLEANING:
                    await copy.end_on_source(source, lease.move.servers)
                # A cancelled move that has flipped nothing ends now, so its slots are free for another move.
                flipped = lease.move.at(SlotStep.FLIPPED, SlotStep.MOVED)
                if lease.move.cancelled and not flipped and not await self._answers(copy.target):
                    await self._end_without_target()
        except (*LOST, asyncpg.PostgresError, GameError) as error:
            log.warning("a move's source doesn't answer", move=lease.move.id, error=str(error))

    async def _answers(self, database: Database) -> bool:
        try:
            async with self.copy.opened(database):
                return True
        except LOST:
            return False

    async def _end_without_target(self) -> None:
        await self._lease.leave_waiting_slots()
        target, name = self.copy.target.name, self.copy.name
        problem = f"{target} was away: once it is back, drop the subscription {name} there"
        await self._lease.advance(Step.DONE, problem=problem)

    async def _wait(self, error: BaseException) -> None:
        problem = str(error) or type(error).__name__
        log.warning("a move waits", move=self._lease.move.id, problem=problem)
        self._tell(MoveProgress(self._lease.move, note=problem))
        await asyncio.sleep(RETRY_SECONDS)
        await self._lease.note_insistently(problem)


async def _watched(copy: Copy, work: Coroutine[Any, Any, MoveRecord]) -> MoveRecord:
    """What the work on a move comes to. Raises what it does, CopyStandsIn amid it, and what the servers raise."""
    tasks = asyncio.create_task(work), asyncio.create_task(_watch(copy))
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return (tasks[0] if tasks[0].done() else tasks[1]).result()
    finally:
        await cancel_and_wait(tasks)


async def _watch(copy: Copy) -> Never:
    """Pauses the copy as soon as it acknowledges commits in the place of a standby, also amid the longest step of its
    move; over connections of its own."""
    async with copying.opened(copy.source) as source, copying.opened(copy.target) as target:
        while True:
            try:
                await standing_in.require_apart(copy.source.name, source, target)
            except CopyStandsIn:
                if await copy.is_on(target):
                    await copy.pause(target)
                    raise
            await asyncio.sleep(LOOK_SECONDS)
