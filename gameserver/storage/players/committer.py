"""Group commit of one database: commands that arrive while a transaction is in flight form the next batch.

Law: a player is in at most one batch in flight, and his commands take effect in the order in which they were
submitted. Every command gets a verdict, at the latest one transaction after its deadline. The queue is bounded; who
finds it full is told so and has changed nothing. A batch that the database refuses is tried once more as single
commands, so that one bad row can't take its neighbours down. After a lost connection the same commands are run again:
if the lost transaction did commit, the ledger answers them. The commands of a player whose slot has moved away are
given back all together, in their order.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence

import asyncpg
import structlog

from gameserver.rules.errors import GameError, Internal, Overloaded
from gameserver.storage.items.stacks import Unpaid
from gameserver.storage.mail.mailbag import LetterSettled
from gameserver.storage.players.batch import Batch
from gameserver.storage.players.command import Command, FateUnknown, LockedElsewhere, Receipt, Verdict
from gameserver.storage.players.pending import CommitLimits, Pending
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.faults import BUSY, LOST
from gameserver.storage.postgres.link import HOT_PATH, Link
from gameserver.storage.slots.slot_map import SlotMoved
from gameserver.telemetry import BATCHES, COMMITS, DATABASE_FAULTS, QUEUED
from gameserver.waiting import Bell

log = structlog.get_logger()

LOCKED_PAUSE = 0.003
"""Seconds until a player who is locked by another transaction is tried again."""
LOST_PAUSE = 0.1
CROWD = 64
"""Players who make a second transaction worth its cost; fewer wait for the one in flight and share the next."""
PER_PLAYER = 32
"""Commands of one player in one batch, at the most."""


GiveBack = Callable[[list[Pending]], None]
MakeBatch = Callable[[Sequence[Command]], Batch]


class Committer:
    """Takes commands for one database; `run` works them off until it is cancelled."""

    def __init__(self, database: Database, make_batch: MakeBatch, limits: CommitLimits, give_back: GiveBack) -> None:
        """`give_back` takes a player's commands, in their order, when the database doesn't own his slot."""
        self._database = database
        self._give_back = give_back
        self._make_batch = make_batch
        self._limits = limits
        self._waiting: dict[int, deque[Pending]] = {}
        self._ready: deque[int] = deque()
        self._busy: set[int] = set()
        self._queued = self._in_flight = 0
        self._wake = asyncio.Event()
        self._closed = False
        self._awaited: dict[int, list[asyncio.Future[None]]] = {}
        """Who waits until a player has no command here."""
        self.posted = Bell()
        """Rings when something has been put into the database's outbox."""

    def submit(self, pending: Pending) -> None:
        """Queues a command. Raises Overloaded at once when the queue is full."""
        if self._queued >= self._limits.queue or self._closed:
            raise Overloaded("Too many commands are waiting.", retry_after=1)
        self._queued += 1
        player_id = pending.command.player_id
        queue = self._waiting.get(player_id)
        if queue is None:
            self._waiting[player_id] = deque((pending,))
            if player_id not in self._busy:
                self._make_ready(player_id)
        else:
            queue.append(pending)

    async def quiet(self, player_id: int) -> bool:
        """Waits until no command of the player is queued or in flight here; whether there was one."""
        if player_id not in self._waiting and player_id not in self._busy:
            return False
        quiet: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._awaited.setdefault(player_id, []).append(quiet)
        await quiet
        return True

    def holds(self, player_id: int) -> bool:
        """Whether something of the player is queued or in flight here."""
        return player_id in self._waiting or player_id in self._busy

    async def run(self) -> None:
        """Works until cancelled; then whatever still waits is answered as overloaded."""
        QUEUED.labels(self._database.name).set_function(lambda: self._queued)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._expire())
                for _ in range(self._limits.in_flight):
                    group.create_task(self._work())
        finally:
            self._closed = True
            for queue in list(self._waiting.values()):
                for pending in queue:
                    self._answer(pending, Overloaded("The node is stopping.", retry_after=1))
            self._waiting.clear()
            for player_id in list(self._awaited):
                self._tell_quiet(player_id)

    async def _work(self) -> None:
        link = Link(self._database, self._server_settings())
        try:
            while True:
                if not self._wake.is_set():
                    await link.rest()
                    await self._wake.wait()
                self._in_flight += 1
                self._signal()
                if batch := self._take():
                    self._signal()
                    await self._settle(link, batch)
                self._in_flight -= 1
                self._signal()
        finally:
            await link.close()

    def _server_settings(self) -> Mapping[str, str]:
        milliseconds = str(int(self._limits.transaction * 1000))
        return {
            **HOT_PATH,
            "idle_in_transaction_session_timeout": milliseconds,
            "statement_timeout": milliseconds,
            "synchronous_commit": "on",
        }

    def _make_ready(self, player_id: int) -> None:
        self._ready.append(player_id)
        self._signal()

    def _signal(self) -> None:
        """Wakes a worker if there is work for it."""
        if self._ready and (not self._in_flight or len(self._ready) >= CROWD):
            self._wake.set()
        else:
            self._wake.clear()

    def _take(self) -> list[Pending]:
        batch: list[Pending] = []
        for _ in range(min(len(self._ready), self._limits.players)):
            player_id = self._ready.popleft()
            queue = self._waiting.pop(player_id)
            self._busy.add(player_id)
            while queue and len(queue) > PER_PLAYER:
                self._waiting.setdefault(player_id, deque()).appendleft(queue.pop())
            batch.extend(queue)
        return batch

    async def _settle(self, link: Link, batch: Sequence[Pending]) -> None:
        """Runs a batch and gives every command its verdict or its place in the queue."""
        try:
            left = await self._work_off(link, batch)
        except BaseException:
            for pending in batch:
                self._answer(pending, pending.unknown())
            raise
        self._put_back(batch, left)

    async def _work_off(self, link: Link, batch: Sequence[Pending]) -> list[Pending]:
        """Those that have to be tried again."""
        try:
            left = await self._attempt(link, batch)
            return await self._one_by_one(link, batch) if left is None else left
        except (*LOST, FateUnknown) as error:
            await self._lost(link, batch, error)
            return [pending for pending in batch if not pending.answered]

    async def _one_by_one(self, link: Link, batch: Sequence[Pending]) -> list[Pending]:
        """Those that have to wait: whom another transaction holds, and what the same players asked later."""
        left: list[Pending] = []
        held: set[int] = set()
        for pending in batch:
            if pending.deadline < time.monotonic():
                self._answer(pending, pending.too_late())
            elif pending.command.player_id in held or await self._attempt(link, [pending]):
                held.add(pending.command.player_id)
                left.append(pending)
        return left

    async def _attempt(self, link: Link, batch: Sequence[Pending]) -> list[Pending] | None:
        """Those that another transaction holds; None for a batch that the database refused as a whole."""
        started = time.perf_counter()
        work = self._make_batch([pending.command for pending in batch])
        try:
            async with asyncio.timeout(self._limits.transaction + 1):
                verdicts = await work.commit(link, lambda: bool(self._ready))
        except (*LOST, FateUnknown):
            raise
        except asyncpg.PostgresError as error:
            return await self._refused(link, batch, error)
        COMMITS.labels(self._database.name).observe(time.perf_counter() - started)
        BATCHES.labels(self._database.name).observe(len(batch))
        if work.has_posted():
            self.posted.ring()
        return [pending for pending, verdict in zip(batch, verdicts, strict=True) if not self._judge(pending, verdict)]

    async def _refused(
        self, link: Link, batch: Sequence[Pending], error: asyncpg.PostgresError
    ) -> list[Pending] | None:
        DATABASE_FAULTS.labels(self._database.name, type(error).__name__).inc()
        log.warning("a batch failed", database=self._database.name, commands=len(batch), error=str(error))
        link.drop()
        if isinstance(error, BUSY):
            await asyncio.sleep(LOCKED_PAUSE)
            return list(batch)
        if len(batch) > 1:
            return None
        self._answer(batch[0], Internal("The action could not be carried out."))
        return []

    def _judge(self, pending: Pending, verdict: Verdict) -> bool:
        """Answers; False for a command that has to wait for another transaction or go elsewhere."""
        if isinstance(verdict, LockedElsewhere):
            pending.unsure = True  # who holds the player may be this command's own lost transaction
            return False
        if isinstance(verdict, SlotMoved):
            pending.moved = True
            return False
        self._answer(pending, verdict)
        return True

    async def _lost(self, link: Link, batch: Sequence[Pending], error: BaseException) -> None:
        DATABASE_FAULTS.labels(self._database.name, type(error).__name__).inc()
        log.warning("a transaction was lost", database=self._database.name, error=f"{type(error).__name__}: {error}")
        link.drop()
        for pending in batch:
            pending.unsure = pending.unsure or isinstance(error, FateUnknown | TimeoutError)
        await asyncio.sleep(LOST_PAUSE)

    def _put_back(self, batch: Sequence[Pending], left: Sequence[Pending]) -> None:
        now = time.monotonic()
        if moved := {pending.command.player_id for pending in left if pending.moved}:
            self._send_away(moved, left)
            left = [pending for pending in left if pending.command.player_id not in moved]
        for pending in reversed(left):
            if pending.deadline < now:
                self._answer(pending, pending.too_late())
                continue
            self._waiting.setdefault(pending.command.player_id, deque()).appendleft(pending)
        blocked = {pending.command.player_id for pending in left}
        for player_id in {pending.command.player_id for pending in batch}:
            if player_id in blocked:
                asyncio.get_running_loop().call_later(LOCKED_PAUSE, self._free, player_id)
            else:
                self._free(player_id)

    def _send_away(self, moved: Iterable[int], left: Sequence[Pending]) -> None:
        """Gives back what these players have asked, also what still waits behind it."""
        for player_id in moved:
            own = [pending for pending in left if pending.command.player_id == player_id]
            own += self._waiting.pop(player_id, ())
            self._queued -= len(own)
            self._give_back(own)

    def _free(self, player_id: int) -> None:
        self._busy.discard(player_id)
        if player_id in self._waiting:
            self._make_ready(player_id)
        else:
            self._tell_quiet(player_id)

    def _tell_quiet(self, player_id: int) -> None:
        for each in self._awaited.pop(player_id, ()) if self._awaited else ():
            if not each.done():
                each.set_result(None)

    async def _expire(self) -> None:
        """Answers those whose deadline has passed while they waited."""
        while True:
            await asyncio.sleep(0.1)
            now = time.monotonic()
            for player_id, queue in list(self._waiting.items()):
                while queue and queue[0].deadline < now:
                    pending = queue.popleft()
                    self._answer(pending, pending.too_late())
                if not queue:
                    del self._waiting[player_id]
                    if player_id not in self._busy:
                        self._ready.remove(player_id)
                        self._tell_quiet(player_id)

    def _answer(self, pending: Pending, verdict: Receipt | GameError | Unpaid | LetterSettled) -> None:
        if not pending.answered:
            self._queued -= 1
            pending.answer(verdict)
