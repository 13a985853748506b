"""Brings every command to the committer of the database that owns its player's slot, wherever that is by then.

Law: a player's commands take effect in the order in which they were submitted, also while his slot moves: what a
database refuses comes back with everything behind it, waits here, and what he asks meanwhile waits behind that. Every
command has its verdict at its deadline; the number of those who wait is bounded.
"""

import asyncio
import time
from collections.abc import Callable

from gameserver.rules.errors import Overloaded
from gameserver.storage.ids import slot_of
from gameserver.storage.players.command import Command, Receipt
from gameserver.storage.players.committer import Committer, GiveBack
from gameserver.storage.players.pending import CommitLimits, Pending
from gameserver.storage.postgres.database import Database
from gameserver.storage.slots.slot_map import LOOK_SECONDS, Slots
from gameserver.waiting import Bell

MakeCommitter = Callable[[Database, GiveBack], Committer]


class Router:
    """One per node; `run` works the committers' queues until it is cancelled."""

    def __init__(self, slots: Slots, limits: CommitLimits, make: MakeCommitter) -> None:
        self._slots = slots
        self._limits = limits
        self._make = make
        self._committers: dict[str, Committer] = {}
        self._parked: dict[int, list[Pending]] = {}
        self._waiting = 0
        self._someone = asyncio.Event()
        self._tasks: asyncio.TaskGroup | None = None

    def submit(self, command: Command) -> asyncio.Future[Receipt]:
        """Queues a command; its verdict comes in the future. Raises Overloaded at once when too many wait."""
        pending = Pending(command, asyncio.get_running_loop().create_future(), time.monotonic() + self._limits.deadline)
        if self._parked and command.player_id in self._parked:
            if self._waiting >= self._limits.queue:
                raise Overloaded("Too many commands are waiting.", retry_after=1)
            self._park([pending])
        else:
            self._behind_earlier(command.player_id).submit(pending)
        return pending.verdict

    def posted(self, database: Database) -> Bell:
        """Rings when this node has put something into the outbox of a database."""
        return self._committer(database).posted

    def _behind_earlier(self, player_id: int) -> Committer:
        """The owner's committer, or the one that still has something of the player: it gives back all of it."""
        own = self._committer(self._owner(player_id))
        for other in self._committers.values():
            if other is not own and other.holds(player_id):
                return other
        return own

    async def quiet(self, player_id: int) -> None:
        """Waits until no command of the player is queued or in flight, at the longest until their deadlines."""
        while True:
            if player_id in self._parked:
                await self._slots.changed(LOOK_SECONDS)
            elif not await self._behind_earlier(player_id).quiet(player_id):
                return

    async def run(self) -> None:
        """Works until cancelled; then whatever still waits is answered as overloaded."""
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                for committer in self._committers.values():
                    tasks.create_task(committer.run())
                for database in self._slots.databases("players"):
                    self._committer(database)
                while True:
                    await self._someone.wait()
                    await self._slots.changed(LOOK_SECONDS)
                    await self._slots.try_refresh()
                    self._send_on()
        finally:
            for waiting in self._parked.values():
                for pending in waiting:
                    pending.answer(Overloaded("The node is stopping.", retry_after=1))
            self._parked.clear()

    def _owner(self, player_id: int) -> Database:
        return self._slots.owner("players", slot_of(player_id))

    def _committer(self, database: Database) -> Committer:
        committer = self._committers.get(database.name)
        if committer is None:
            committer = self._committers[database.name] = self._make(database, self._park)
            if self._tasks is not None:
                self._tasks.create_task(committer.run())
        return committer

    def _park(self, refused: list[Pending]) -> None:
        for pending in refused:
            self._parked.setdefault(pending.command.player_id, []).append(pending)
        self._waiting += len(refused)
        self._someone.set()

    def _send_on(self) -> None:
        """Brings everybody to the owner that the map names now; who is refused again comes back."""
        parked, self._parked, self._waiting = self._parked, {}, 0
        self._someone.clear()
        now = time.monotonic()
        for player_id, waiting in parked.items():
            committer = self._committer(self._owner(player_id))
            for pending in waiting:
                pending.moved = False
                if pending.deadline < now:
                    pending.answer(pending.too_late())
                    continue
                try:
                    committer.submit(pending)
                except Overloaded as error:
                    pending.answer(error)
