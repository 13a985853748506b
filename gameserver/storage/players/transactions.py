"""Runs batches of one database in transactions, and decides what becomes of each command when one fails.

Law: a command is answered only after its transaction's commit, or when it can't be part of one any more. A batch that
the database refuses is tried once more as single commands, so that one bad row can't fail its neighbours. After a
lost connection the same commands run again: if the lost transaction did commit, the ledger answers them.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import asyncpg
import structlog

from gameserver.garbage import without_frames
from gameserver.rules.errors import Internal
from gameserver.storage.players.batch import Batch
from gameserver.storage.players.command import Answer, Command, LeftOver, LockedElsewhere, Verdict
from gameserver.storage.players.gathering import SQL
from gameserver.storage.players.pending import CommitLimits, Pending, ended, too_late
from gameserver.storage.players.rule_time import RuleTime
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.driver import CommitUnsure
from gameserver.storage.postgres.faults import BUSY, LOST
from gameserver.storage.postgres.link import HOT_PATH, Link
from gameserver.storage.postgres.patience import TRANSACTION
from gameserver.storage.slots.slot_map import SlotMoved
from gameserver.telemetry import BATCHES, COMMITS, DATABASE_FAULTS, SLOW_COMMITS
from gameserver.tracing.tracer import Tracer
from gameserver.waiting import Bell

log = structlog.get_logger()

LOCKED_PAUSE = 0.003
"""Seconds until a player whose row another transaction holds is tried again."""
SLOW_SECONDS = 1.0
"""A group commit that takes longer is named in the log."""
FROZEN_SECONDS = 2.0
"""A transaction may last so much longer than one of its statements: longer than the node waits for it."""
LOST_PAUSE = 0.1
"""Seconds until the commands of a lost transaction are tried again."""

MakeBatch = Callable[[Sequence[Command]], Batch]
GiveAnswer = Callable[[Pending, Answer], None]


class Transactions:
    """One per database; any number of batches may run at once, each on a link of its own."""

    def __init__(
        self,
        database: Database,
        make_batch: MakeBatch,
        limits: CommitLimits,
        answer: GiveAnswer,
        tracer: Tracer | None = None,
    ) -> None:
        self._database = database
        self._tracer = tracer
        self._make_batch = make_batch
        self._limits = limits
        self._answer = answer
        self._commits, self._batches = COMMITS.labels(database.name), BATCHES.labels(database.name)
        self.posted = Bell()
        """Rings when something has been put into the database's outbox."""

    def link(self) -> Link:
        """A connection whose transactions the server itself ends when they take too long."""
        milliseconds = str(int(self._limits.transaction * 1000))
        settings = {
            **HOT_PATH,
            "idle_in_transaction_session_timeout": milliseconds,
            "statement_timeout": milliseconds,
            TRANSACTION: str(int((self._limits.transaction + FROZEN_SECONDS) * 1000)),
            "synchronous_commit": "on",
        }
        return Link(self._database, settings, [SQL["gather"], SQL["write"]])

    async def run(self, link: Link, batch: Sequence[Pending], has_more: Callable[[], bool]) -> list[Pending]:
        """Answers the commands of a batch; returns those that have to be tried again, in their order.

        Asks `has_more` at the end whether to begin the next transaction in the same round trip.
        """
        try:
            return await self._attempts(link, batch, has_more)
        except BaseException:
            # Cancelled, or a fault of our own: nothing will run these commands again.
            for pending in batch:
                pending.unsure = pending.unsure or link.is_committing
                self._answer(pending, too_late(pending))
            raise

    async def _attempts(self, link: Link, batch: Sequence[Pending], has_more: Callable[[], bool]) -> list[Pending]:
        try:
            # The whole batch at once; if the database refuses it, every command alone.
            unanswered = await self._attempt(link, batch, has_more)
            return await self._one_by_one(link, batch, has_more) if unanswered is None else unanswered
        except LOST as error:
            # The transaction may have committed: its commands run again, and find themselves in the ledger if so.
            await self._lost(link, batch, error)
            return [pending for pending in batch if not pending.answered]

    async def _one_by_one(self, link: Link, batch: Sequence[Pending], has_more: Callable[[], bool]) -> list[Pending]:
        """Those to be tried again: of players that another transaction holds, with all their later commands."""
        unanswered: list[Pending] = []
        held: set[int] = set()
        for pending in batch:
            if pending.answered:
                continue
            if pending.deadline < time.monotonic():
                self._answer(pending, too_late(pending))
            elif pending.command.player_id in held or await self._attempt(link, [pending], has_more):
                held.add(pending.command.player_id)
                unanswered.append(pending)
        return unanswered

    async def _attempt(
        self, link: Link, batch: Sequence[Pending], has_more: Callable[[], bool]
    ) -> list[Pending] | None:
        """One transaction: those to be tried again; None if the database refused the batch as a whole."""
        started = time.perf_counter()
        work = self._make_batch([pending.command for pending in batch])
        try:
            # The server's own timeouts come first; this one is for a server that doesn't answer at all.
            async with asyncio.timeout(self._limits.transaction + 1):
                commit = work.commit(link, has_more)
                verdicts = await (commit if self._tracer is None else self._traced(self._tracer, work, commit))
        except LOST:
            self._spare(batch, work.time)
            raise
        except asyncpg.PostgresError as error:
            self._spare(batch, work.time)
            return await self._refused(link, batch, error)
        seconds = time.perf_counter() - started
        self._commits.observe(seconds)
        if seconds > SLOW_SECONDS:
            SLOW_COMMITS.labels(self._database.name).inc()
            log.warning("slow batch", database=self._database.name, commands=len(batch), seconds=round(seconds, 3))
        self._batches.observe(len(batch))
        if work.has_posted():
            self.posted.ring()
        left = [pending for pending, verdict in zip(batch, verdicts, strict=True) if self._postponed(pending, verdict)]
        self._spare(left, work.time)
        return [pending for pending in left if not pending.answered]

    def _traced(
        self, tracer: Tracer, work: Batch, commit: Coroutine[Any, Any, list[Verdict]]
    ) -> Coroutine[Any, Any, list[Verdict]]:
        traced = [command.trace for command in work.commands if command.trace is not None]
        return tracer.commit(self._database.name, traced, len(work.commands), commit) if traced else commit

    def _postponed(self, pending: Pending, verdict: Verdict) -> bool:
        """Answers the command, or notes why it has to be tried again."""
        if isinstance(verdict, LockedElsewhere):
            pending.unsure = True  # the lock may be held by this command's own lost transaction
            return True
        if isinstance(verdict, LeftOver):
            return True
        if isinstance(verdict, SlotMoved):
            pending.moved = True
            return True
        self._answer(pending, verdict)
        return False

    def _spare(self, batch: Sequence[Pending], rules: RuleTime) -> None:
        """None of these runs a rule again that was too slow, and the others lose no time by it.

        Such a command can't be in the ledger: its batch has looked, under the lock. A letter has still to be refused.
        """
        if not rules.lost:
            return
        for pending in batch:
            pending.deadline += rules.lost
            fault = rules.fault_of(pending.command)
            if pending.command.letter is not None:
                pending.command.too_slow = fault
                pending.command.stood_still = rules.stood_still(pending.command)
            elif fault is not None:
                self._answer(pending, without_frames(fault))

    async def _refused(
        self, link: Link, batch: Sequence[Pending], error: asyncpg.PostgresError
    ) -> list[Pending] | None:
        """Nothing was written; what `_attempt` returns then."""
        DATABASE_FAULTS.labels(self._database.name, type(error).__name__).inc()
        log.warning("a batch failed", database=self._database.name, commands=len(batch), error=str(error))
        link.drop()
        if isinstance(error, BUSY):
            await asyncio.sleep(LOCKED_PAUSE)
            return [pending for pending in batch if not pending.answered]
        if len(batch) > 1:
            return None
        command = batch[0].command
        log.error(
            "a command failed",
            action=command.action,
            player=command.player_id,
            command=command.id,
            request_id=command.request_id,
            exc_info=error,
        )
        self._answer(batch[0], ended(batch[0], Internal("The action could not be carried out.")))
        return []

    async def _lost(self, link: Link, batch: Sequence[Pending], error: BaseException) -> None:
        DATABASE_FAULTS.labels(self._database.name, type(error).__name__).inc()
        log.warning("a transaction was lost", database=self._database.name, error=f"{type(error).__name__}: {error}")
        unsure = isinstance(error, CommitUnsure) or link.is_committing  # the latter when it took too long
        link.drop()
        for pending in batch:
            pending.unsure = pending.unsure or unsure
        await asyncio.sleep(LOST_PAUSE)
