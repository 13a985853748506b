"""Group commit of one database: commands that arrive while a transaction is in flight form the next batch.

Law: a player is in at most one batch in flight, and its commands take effect in the order in which they were
submitted. Every command gets an answer, at the latest one transaction after its deadline. The queue is bounded: a full
one raises Overloaded, and nothing was written. Commands that a transaction leaves unanswered go back to the front of
their player's queue; if the player's slot has moved away, all of its commands are given back together, in their order.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from gameserver.storage.players.command import Answer
from gameserver.storage.players.pending import CommitLimits, Pending, queue_full, stopping, too_late
from gameserver.storage.players.returning import Returning
from gameserver.storage.players.transactions import LOCKED_PAUSE, MakeBatch, Transactions
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.link import Link
from gameserver.telemetry import QUEUED
from gameserver.tracing.tracer import Tracer
from gameserver.waiting import Bell

SECOND_TRANSACTION = 64
"""Ready players that make a second transaction worth its cost; fewer wait for the one in flight and share the next."""
HANGS_SECONDS = 0.5
"""A transaction that takes longer may hang, as when a server's process is frozen: others don't wait for it any more."""
BUSY_BATCH = 4
"""A batch of so many commands is probably followed by another one soon."""
BEGUN_SECONDS = 0.05
"""How long a transaction that was begun in advance waits for its first command."""
PER_PLAYER = 32
"""Commands of one player in one batch, at the most."""
EXPIRY_SECONDS = 0.1
"""How often queued commands are compared with their deadlines."""

GiveBack = Callable[[list[Pending]], None]


class QuietWaits:
    """Waits until a player has no command at a committer."""

    def __init__(self) -> None:
        self._waiting: dict[int, list[asyncio.Future[None]]] = {}

    async def wait(self, player_id: int) -> None:
        """Returns when the player is announced next."""
        quiet: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(player_id, []).append(quiet)
        await quiet

    def announce(self, player_id: int) -> None:
        """The player has no command any more."""
        for quiet in self._waiting.pop(player_id, ()) if self._waiting else ():
            if not quiet.done():
                quiet.set_result(None)

    def announce_all(self) -> None:
        for player_id in list(self._waiting):
            self.announce(player_id)


class Committer:
    """Takes commands for one database; `run` works them off until it is cancelled."""

    def __init__(
        self,
        database: Database,
        make_batch: MakeBatch,
        limits: CommitLimits,
        give_back: GiveBack,
        tracer: Tracer | None = None,
    ) -> None:
        """`give_back` takes a player's commands, in their order, when the database doesn't own the player's slot."""
        self._database = database
        self._give_back = give_back
        self._limits = limits
        self._transactions = Transactions(database, make_batch, limits, self._answer, tracer)
        self._waiting: dict[int, deque[Pending]] = {}
        """Queued commands by player."""
        self._ready: deque[int] = deque()
        """Players with queued commands and none in flight, longest waiting first."""
        self._busy: set[int] = set()
        """Players with commands in flight, or locked by another transaction a moment ago."""
        self._queued = self._in_flight = 0
        self._hanging: set[Link] = set()
        """Where a transaction takes so long that it no longer counts as in flight."""
        self._idle: list[asyncio.Future[None]] = []
        """Workers that wait for work; the one that worked last has the warmest connection, and is woken first."""
        self._closed = False
        self._quiet = QuietWaits()
        self._returning = Returning()

    @property
    def posted(self) -> Bell:
        """Rings when something has been put into the database's outbox."""
        return self._transactions.posted

    def submit(self, pending: Pending) -> None:
        """Queues a command. Raises Overloaded at once when the queue is full."""
        if self._queued >= self._limits.queue or self._closed:
            raise queue_full()
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
        if not self.holds(player_id):
            return False
        await self._quiet.wait(player_id)
        return True

    def holds(self, player_id: int) -> bool:
        """Whether a command of the player is queued or in flight here."""
        return player_id in self._waiting or player_id in self._busy

    async def run(self) -> None:
        """Works until cancelled; then whatever is still queued is answered as overloaded, or unknown."""
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
                    self._answer(pending, stopping(pending))
            self._waiting.clear()
            self._quiet.announce_all()

    async def _work(self) -> None:
        """One of `in_flight` workers, each with a connection of its own."""
        link = self._transactions.link()
        try:
            while True:
                await self._turn(link)
                if len(self._ready) < SECOND_TRANSACTION:
                    await self._returning.wait(self._ready)
                if batch := self._take():
                    # What is still ready may be worth a second worker.
                    self._signal()
                    began = time.monotonic()
                    unanswered = await self._carry_out(link, batch)
                    self._returning.note(len(self._busy) + len(self._ready), time.monotonic() - began)
                    self._put_back(batch, unanswered)
                self._in_flight -= 1
        finally:
            await link.close()

    async def _carry_out(self, link: Link, batch: Sequence[Pending]) -> list[Pending]:
        """Returns what its transactions left unanswered."""
        hangs = asyncio.get_running_loop().call_later(HANGS_SECONDS, self._hang, link)
        try:
            return await self._transactions.run(link, batch, lambda: self._goes_on(batch))
        finally:
            hangs.cancel()
            if link in self._hanging:
                self._hanging.remove(link)
                self._in_flight += 1

    def _hang(self, link: Link) -> None:
        """What is ready doesn't wait for this link's transaction any more."""
        self._hanging.add(link)
        self._in_flight -= 1
        self._signal()

    async def _turn(self, link: Link) -> None:
        """Waits until there is work for this worker, which then counts as in flight."""
        if self._has_work():
            self._in_flight += 1
            self._signal()
            return
        woken = asyncio.get_running_loop().create_future()
        self._idle.append(woken)
        # A transaction that was begun in advance ends if nothing comes for a while.
        if link.is_in_transaction:
            await asyncio.wait([woken], timeout=BEGUN_SECONDS)
            if not woken.done():
                await link.rest()
        await woken

    def _goes_on(self, batch: Sequence[Pending]) -> bool:
        """Whether another transaction will probably follow this batch's, so that it may begin at once."""
        return bool(self._ready) or len(batch) >= BUSY_BATCH

    def _has_work(self) -> bool:
        """Whether what is ready is worth another transaction."""
        return bool(self._ready) and (not self._in_flight or len(self._ready) >= SECOND_TRANSACTION)

    def _make_ready(self, player_id: int) -> None:
        self._ready.append(player_id)
        self._returning.see(len(self._ready))
        self._signal()

    def _signal(self) -> None:
        """Wakes as many idle workers as there is work for."""
        while self._idle and self._has_work():
            self._in_flight += 1
            self._idle.pop().set_result(None)

    def _take(self) -> list[Pending]:
        """The next batch: the commands of the players that have been ready longest."""
        batch: list[Pending] = []
        for _ in range(min(len(self._ready), self._limits.players)):
            player_id = self._ready.popleft()
            queue = self._waiting.pop(player_id)
            self._busy.add(player_id)
            # What is too much for one batch stays queued, in its order.
            while queue and len(queue) > PER_PLAYER:
                self._waiting.setdefault(player_id, deque()).appendleft(queue.pop())
            batch.extend(queue)
        return batch

    def _put_back(self, batch: Sequence[Pending], unanswered: Sequence[Pending]) -> None:
        """Queues again what a transaction left unanswered, and lets the batch's players go on."""
        now = time.monotonic()
        # Players whose slot has moved leave with all of their commands.
        if moved := {pending.command.player_id for pending in unanswered if pending.moved}:
            self._send_away(moved, unanswered)
            unanswered = [pending for pending in unanswered if pending.command.player_id not in moved]
        # The others go in front of what was submitted meanwhile; from the last to the first keeps their order.
        for pending in reversed(unanswered):
            if pending.deadline < now:
                self._answer(pending, too_late(pending))
                continue
            self._waiting.setdefault(pending.command.player_id, deque()).appendleft(pending)
        # Players with unanswered commands rest for a moment, the others are free at once.
        blocked = {pending.command.player_id for pending in unanswered}
        for player_id in {pending.command.player_id for pending in batch}:
            if player_id in blocked:
                asyncio.get_running_loop().call_later(LOCKED_PAUSE, self._free, player_id)
            else:
                self._free(player_id)

    def _send_away(self, moved: Iterable[int], unanswered: Sequence[Pending]) -> None:
        """Gives back all commands of these players, also those still queued behind the unanswered ones."""
        for player_id in moved:
            commands = [pending for pending in unanswered if pending.command.player_id == player_id]
            commands += self._waiting.pop(player_id, ())
            self._queued -= len(commands)
            self._give_back(commands)

    def _free(self, player_id: int) -> None:
        """The player may be in a batch again."""
        self._busy.discard(player_id)
        if player_id in self._waiting:
            self._make_ready(player_id)
        else:
            self._quiet.announce(player_id)

    async def _expire(self) -> None:
        """Answers commands whose deadline passes while they are queued."""
        while True:
            await asyncio.sleep(EXPIRY_SECONDS)
            now = time.monotonic()
            for player_id, queue in list(self._waiting.items()):
                # A player's commands are queued in the order of their deadlines.
                while queue and queue[0].deadline < now:
                    pending = queue.popleft()
                    self._answer(pending, too_late(pending))
                if not queue:
                    del self._waiting[player_id]
                    if player_id not in self._busy:
                        self._ready.remove(player_id)
                        self._quiet.announce(player_id)

    def _answer(self, pending: Pending, answer: Answer) -> None:
        if not pending.answered:
            self._queued -= 1
            pending.answer(answer)
