"""Players over all databases: act, read, create, and their history.

Group commit, locks, shards, the ledger, retries and fencing are behind `act`; callers see a receipt or a GameError.
"""

import asyncio
import time
from collections.abc import Iterable, Sequence
from typing import TypeVar

from gameserver.rules.errors import PlayerNotFound
from gameserver.rules.player import Player
from gameserver.rules.rulebook import Rulebook
from gameserver.storage import tables
from gameserver.storage.ids import LARGEST_ID, slot_of
from gameserver.storage.items.backlog import Backlog
from gameserver.storage.items.inventory import Inventory, Stack
from gameserver.storage.items.payment_ledger import PaymentLedger
from gameserver.storage.items.stacks import Stacks
from gameserver.storage.ledger.window import Window
from gameserver.storage.players.batch import Batch
from gameserver.storage.players.command import Command, Receipt
from gameserver.storage.players.committer import Committer, MakeBatch
from gameserver.storage.players.payments import Payments, WritePath
from gameserver.storage.players.pending import CommitLimits
from gameserver.storage.players.reader import PlayerState, Reader
from gameserver.storage.players.routing import Router
from gameserver.storage.postgres.database import Database
from gameserver.storage.seasons.scoring import Scoring
from gameserver.storage.slots.slot_map import MOVED_SECONDS, SlotMoved, Slots
from gameserver.waiting import Bell

T = TypeVar("T")
PLAYERS = tables.player_rows


class Players:
    """One per node. `run` works the queues of every database until it is cancelled."""

    def __init__(
        self, slots: Slots, rulebook: Rulebook, window: Window, limits: CommitLimits, scoring: Scoring
    ) -> None:
        self._slots, self._window, self._game, self._rulebook = slots, window, rulebook.game, rulebook
        self._scoring = scoring
        self._router = Router(slots, limits, lambda each, back: Committer(each, self._batches(each), limits, back))
        self.inventory = Inventory(slots, rulebook.game.items)
        self._backlog = Backlog(slots)
        paths = WritePath(self._router.submit, self._router.quiet)
        self.payments = Payments(slots, self.inventory, PaymentLedger(slots), paths, limits)
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
        """Commits a command. Queued before the first await, so a caller's order is kept.

        Raises PlayerNotFound, SessionRevoked, CommandExpired, CommandMismatch, what the rule refuses with,
        Overloaded, DatabaseUnavailable (not committed) and OutcomeUnknown (send it again); for a letter LetterSettled.
        """
        self._require_placed(command.player_id)
        if command.takes or self.payments.has_line(command.player_id):
            return await self.payments.act(command)
        return await self._router.submit(command)

    def _batches(self, database: Database) -> MakeBatch:
        """Makes the batches of a database; a slot's items are believed to be there as the map has it."""

        def here(slot: int) -> bool:
            return self._slots.owner("items", slot) is database

        catalogue = self._rulebook.game.items

        def full() -> bool:
            return self._backlog.is_full(database)

        def batch(commands: Sequence[Command]) -> Batch:
            return Batch(self._rulebook, self._window, commands, Stacks(catalogue, here, full), self._scoring)

        return batch

    async def items(self, player_id: int) -> list[Stack]:
        """What a player owns, as far as his acknowledged commands say. Raises DatabaseUnavailable."""
        return await self.payments.holdings(player_id)

    def posted(self, database: Database) -> Bell:
        """Rings when this node has put something into the outbox of a database."""
        return self._router.posted(database)

    async def read(self, ids: Iterable[int]) -> dict[int, Player]:
        """Those that exist. Raises DatabaseUnavailable, Overloaded."""
        return {each: found.player for each, found in (await self._read(ids)).items()}

    async def epochs(self, ids: Iterable[int]) -> dict[int, int]:
        """The epochs of those that exist, below which their sessions have ended. Raises as `read` does."""
        return {each: found.session_epoch for each, found in (await self._read(ids)).items()}

    async def _read(self, ids: Iterable[int]) -> dict[int, PlayerState]:
        wanted = [each for each in dict.fromkeys(ids) if 0 <= each <= LARGEST_ID and self._is_placed(each)]
        deadline = time.monotonic() + MOVED_SECONDS
        while True:
            asked = [self._reader(self._owner(each)).ask(each) for each in wanted]
            answers = await asyncio.gather(*asked, return_exceptions=True)
            for fault in answers:
                if isinstance(fault, BaseException) and not isinstance(fault, SlotMoved):
                    raise fault
            if not any(isinstance(each, SlotMoved) for each in answers):
                return {found.player.id: found for found in answers if isinstance(found, PlayerState)}
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
        return slot_of(player_id) < self._slots.size("players")

    def _require_placed(self, player_id: int) -> None:
        if not self._is_placed(player_id):
            raise PlayerNotFound("There is no such player.")
