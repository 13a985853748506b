"""Brings every command to the committer of the database that owns its player's slot, also while slots move.

Law: a player's commands take effect in the order in which they were submitted, also while its slot moves: what a
database refuses comes back with everything behind it and is parked here; later commands of the player are parked
behind it. Every command has its answer at its deadline; how many commands may be parked is bounded.
"""

import asyncio
import time
from collections.abc import Callable

from gameserver.rules.errors import Overloaded
from gameserver.storage.ids import slot_of
from gameserver.storage.players.command import Command, Receipt
from gameserver.storage.players.committer import EXPIRY_SECONDS, Committer, GiveBack
from gameserver.storage.players.pending import CommitLimits, Pending, ended, queue_full, stopping, too_late
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
        """Commands by player whose slot is moving."""
        self._parked_count = 0
        self._has_parked = asyncio.Event()
        self._tasks: asyncio.TaskGroup | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        """Asked for once: up to Python 3.11 each time costs a system call."""

    def submit(self, command: Command) -> asyncio.Future[Receipt]:
        """Queues a command; the future gets its answer. Raises Overloaded at once when too many are queued."""
        loop = self._loop = self._loop or asyncio.get_running_loop()
        pending = Pending(command, loop.create_future(), time.monotonic() + self._limits.deadline)
        if self._parked and command.player_id in self._parked:
            if self._parked_count >= self._limits.queue:
                raise queue_full()
            self._park([pending])
        else:
            self._behind_earlier(command.player_id).submit(pending)
        return pending.future

    def posted(self, database: Database) -> Bell:
        """Rings when this node has put something into the outbox of a database."""
        return self._committer(database).posted

    def _behind_earlier(self, player_id: int) -> Committer:
        """The owner's committer, or another that still holds commands of the player and will give them back."""
        owners = self._committer(self._owner(player_id))
        for other in self._committers.values():
            if other is not owners and other.holds(player_id):
                return other
        return owners

    async def quiet(self, player_id: int) -> None:
        """Waits until no command of the player is queued or in flight, at the longest until their deadlines."""
        while True:
            if player_id in self._parked:
                await self._slots.changed(LOOK_SECONDS)
            elif not await self._behind_earlier(player_id).quiet(player_id):
                return

    async def run(self) -> None:
        """Works until cancelled; then whatever is still parked is answered as overloaded, or unknown."""
        try:
            async with asyncio.TaskGroup() as tasks:
                # Committers made so far start here, later ones as they are made.
                self._tasks = tasks
                tasks.create_task(self._expire())
                for committer in self._committers.values():
                    tasks.create_task(committer.run())
                for database in self._slots.databases("players"):
                    self._committer(database)
                while True:
                    # Parked commands are sent on whenever the slot map changes, or may have changed unheard.
                    await self._has_parked.wait()
                    await self._slots.changed(LOOK_SECONDS)
                    await self._slots.try_refresh()
                    self._send_on()
        finally:
            for parked in self._parked.values():
                for pending in parked:
                    pending.answer(stopping(pending))
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

    def _park(self, commands: list[Pending]) -> None:
        for pending in commands:
            self._parked.setdefault(pending.command.player_id, []).append(pending)
        self._parked_count += len(commands)
        self._has_parked.set()

    async def _expire(self) -> None:
        """Answers parked commands at their deadlines, also while the slot map can't be read."""
        while True:
            await self._has_parked.wait()
            await asyncio.sleep(EXPIRY_SECONDS)
            self._answer_late()

    def _answer_late(self) -> None:
        now = time.monotonic()
        for player_id, commands in list(self._parked.items()):
            late = [pending for pending in commands if pending.deadline < now]
            for pending in late:
                pending.answer(too_late(pending))
            self._parked_count -= len(late)
            commands[:] = [pending for pending in commands if pending.deadline >= now]
            if not commands:
                del self._parked[player_id]

    def _send_on(self) -> None:
        """Submits parked commands to the owners that the map names now; a refused one is parked again."""
        self._answer_late()
        # A committer may park commands while this loop runs, so it works on what was parked before.
        parked, self._parked, self._parked_count = self._parked, {}, 0
        self._has_parked.clear()
        for player_id, commands in parked.items():
            committer = self._committer(self._owner(player_id))
            for pending in commands:
                pending.moved = False
                try:
                    committer.submit(pending)
                except Overloaded as error:
                    pending.answer(ended(pending, error))
