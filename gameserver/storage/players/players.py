"""Players over all databases: `act` and `read`.

Law: `act` and `read` hide group commit, locks, slots and their moves, the ledger, retries and fencing; a caller sees a
receipt, a player or a GameError. A command is acknowledged after its commit, and takes effect once per command id.
"""

import asyncio
import time
from collections.abc import Iterable

from gameserver.rules.errors import PlayerNotFound
from gameserver.rules.player import Player
from gameserver.storage.ids import LARGEST_ID, slot_of
from gameserver.storage.items.backlog import Backlog
from gameserver.storage.items.inventory import Inventory, Stack
from gameserver.storage.players.batches import BatchFactory, BatchTerms
from gameserver.storage.players.command import Command, Receipt
from gameserver.storage.players.committer import Committer, GiveBack
from gameserver.storage.players.payments import Payments
from gameserver.storage.players.pending import CommitLimits
from gameserver.storage.players.reader import PlayerState, Reader
from gameserver.storage.players.routing import Router
from gameserver.storage.players.rule_time import longest_rule
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.driver import Lineage
from gameserver.storage.slots.slot_map import MOVED_SECONDS, SlotMoved, Slots
from gameserver.tracing.tracer import Tracer
from gameserver.waiting import Bell


class Players:
    """One per node. `run` works the queues of every database until it is cancelled."""

    def __init__(self, slots: Slots, terms: BatchTerms, limits: CommitLimits, tracer: Tracer | None = None) -> None:
        self.tracer = tracer
        self._slots = slots
        self._backlog = Backlog(slots)

        def committer(database: Database, give_back: GiveBack) -> Committer:
            batches = BatchFactory(database, slots, terms, self._backlog, longest_rule(limits.transaction))
            return Committer(database, batches.make, limits, give_back, tracer)

        self._router = Router(slots, limits, committer)
        self.inventory = Inventory(slots, terms.rules)
        self.payments = Payments(slots, self.inventory, self._router, limits, terms.window)
        self._readers: dict[str, Reader] = {}
        self._tasks: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            tasks.create_task(self._router.run())
            tasks.create_task(self.payments.run())
            tasks.create_task(self._backlog.run())
            for reader in self._readers.values():
                tasks.create_task(reader.run())
            for database in self._slots.databases("players"):
                self._reader(database)

    async def act(self, command: Command) -> Receipt:
        """Commits a command. Queued before the first await, so a caller's commands keep their order.

        Raises PlayerNotFound, SessionRevoked, CommandExpired, CommandMismatch, what the rule refuses with,
        Overloaded, DatabaseUnavailable (not committed) and OutcomeUnknown (send it again); for a letter LetterSettled.
        """
        if not self._is_placed(command.player_id):
            raise PlayerNotFound("There is no such player.")
        if command.takes or self.payments.has_line(command.player_id):
            return await self.payments.act(command)
        return await self._router.submit(command)

    async def items(self, player_id: int) -> list[Stack]:
        """What a player owns by its acknowledged commands. Raises DatabaseUnavailable."""
        return await self.payments.holdings(player_id)

    def posted(self, database: Database) -> Bell:
        """Rings when this node has put something into the outbox of a database."""
        return self._router.posted(database)

    async def read(self, ids: Iterable[int]) -> dict[int, Player]:
        """The players of these ids that exist. Raises DatabaseUnavailable, Overloaded."""
        return {player_id: state.player for player_id, state in (await self._read(ids)).items()}

    async def find(self, player_id: int) -> Player | None:
        """The player of this id, if it exists. Raises as `read` does."""
        state = await self._state(player_id)
        return None if state is None else state.player

    async def epoch(self, player_id: int) -> int | None:
        """The epoch below which a player's sessions have ended; None if it doesn't exist. Raises as `read` does."""
        state = await self._state(player_id)
        return None if state is None else state.session_epoch

    async def epochs(self, ids: Iterable[int]) -> dict[int, int]:
        """The epochs below which sessions have ended, of the players that exist. Raises as `read` does."""
        return {player_id: state.session_epoch for player_id, state in (await self._read(ids)).items()}

    def owners(self, ids: Iterable[int]) -> set[Database]:
        """The databases that own the players of these ids, if such can exist."""
        return {self._owner(id_) for id_ in ids if 0 <= id_ <= LARGEST_ID and self._is_placed(id_)}

    def by_database(self, ids: Iterable[int]) -> dict[str, list[int]]:
        """The ids of players that can exist, by the name of the database that owns them."""
        parts: dict[str, list[int]] = {}
        for player_id in ids:
            if 0 <= player_id <= LARGEST_ID and self._is_placed(player_id):
                parts.setdefault(self._owner(player_id).name, []).append(player_id)
        return parts

    def lineages(self) -> dict[str, Lineage]:
        """Those of the databases' primaries, by name, as they were seen last: another one may have gone back."""
        databases = self._slots.databases("players")
        return {each.name: each.dialer.lineage for each in databases if each.dialer.lineage is not None}

    async def _state(self, player_id: int) -> PlayerState | None:
        """As `_read`, for one, at half its cost."""
        if not (0 <= player_id <= LARGEST_ID and self._is_placed(player_id)):
            return None
        deadline = time.monotonic() + MOVED_SECONDS
        while True:
            try:
                return await self._reader(self._owner(player_id)).ask(player_id)
            except SlotMoved:
                await self._slots.moved(deadline)

    async def _read(self, ids: Iterable[int]) -> dict[int, PlayerState]:
        wanted = [id_ for id_ in dict.fromkeys(ids) if 0 <= id_ <= LARGEST_ID and self._is_placed(id_)]
        deadline = time.monotonic() + MOVED_SECONDS
        while True:
            futures = [self._reader(self._owner(player_id)).ask(player_id) for player_id in wanted]
            states = await asyncio.gather(*futures, return_exceptions=True)
            for fault in states:
                if isinstance(fault, BaseException) and not isinstance(fault, SlotMoved):
                    raise fault
            if not any(isinstance(state, SlotMoved) for state in states):
                return {state.player.id: state for state in states if isinstance(state, PlayerState)}
            await self._slots.moved(deadline)

    def _owner(self, player_id: int) -> Database:
        return self._slots.owner("players", slot_of(player_id))

    def _reader(self, database: Database) -> Reader:
        reader = self._readers.get(database.name)
        if reader is None:
            reader = self._readers[database.name] = Reader(database)
            if self._tasks is not None:
                self._tasks.create_task(reader.run())
        return reader

    def _is_placed(self, player_id: int) -> bool:
        """Whether the id's slot is one of the group's; of any other no player can exist."""
        return slot_of(player_id) < self._slots.size("players")
