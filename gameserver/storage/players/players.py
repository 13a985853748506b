"""Players over all databases: act, read, create, and their history.

Group commit, locks, shards, the ledger, retries and fencing are behind `act`; callers see a receipt or a GameError.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeVar

from sqlalchemy import insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from gameserver.rules.errors import Banned, DatabaseUnavailable, OutcomeUnknown, PlayerNotFound
from gameserver.rules.player import Player
from gameserver.rules.rulebook import Rulebook
from gameserver.storage import tables
from gameserver.storage.accounts import bans, identities
from gameserver.storage.accounts.bans import Judged, Judgement
from gameserver.storage.accounts.births import Birth, _find_birth, _key, birth_entry, new_row
from gameserver.storage.accounts.claims import Claim, Key
from gameserver.storage.accounts.identities import Change, Fate, Standing
from gameserver.storage.ids import LARGEST_ID, player_id_of, slot_of
from gameserver.storage.items.backlog import Backlog
from gameserver.storage.items.inventory import Inventory, Stack
from gameserver.storage.items.payment_ledger import PaymentLedger
from gameserver.storage.items.stacks import Stacks
from gameserver.storage.ledger.history import Entry, _entry
from gameserver.storage.ledger.window import Window
from gameserver.storage.mail import inbox
from gameserver.storage.mail.inbox import Mail
from gameserver.storage.players.batch import Batch
from gameserver.storage.players.command import Command, Receipt
from gameserver.storage.players.committer import Committer, MakeBatch
from gameserver.storage.players.payments import Paths, Payments
from gameserver.storage.players.pending import Limits
from gameserver.storage.players.reader import Read, Reader
from gameserver.storage.players.routing import Router
from gameserver.storage.postgres.database import Database
from gameserver.storage.seasons.scoring import Scoring
from gameserver.storage.slots.slot_map import MOVED_SECONDS, SlotMoved, Slots
from gameserver.waiting import Bell

T = TypeVar("T")
PLAYERS = tables.player_rows


class Players:
    """One per node. `run` works the queues of every database until it is cancelled."""

    def __init__(self, slots: Slots, rulebook: Rulebook, window: Window, limits: Limits, scoring: Scoring) -> None:
        self._slots, self._window, self._game, self._rulebook = slots, window, rulebook.game, rulebook
        self._scoring = scoring
        self._router = Router(slots, limits, lambda each, back: Committer(each, self._batches(each), limits, back))
        self.inventory = Inventory(slots, rulebook.game.items)
        self._backlog = Backlog(slots)
        paths = Paths(self._router.submit, self._router.quiet)
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

    def id_of(self, command_id: str, attempt: int) -> int:
        """The id of the player that a sign-up makes."""
        return player_id_of(command_id, attempt, self._slots.size("players"))

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

    async def _read(self, ids: Iterable[int]) -> dict[int, Read]:
        wanted = [each for each in dict.fromkeys(ids) if 0 <= each <= LARGEST_ID and self._is_placed(each)]
        deadline = time.monotonic() + MOVED_SECONDS
        while True:
            asked = [self._reader(self._owner(each)).ask(each) for each in wanted]
            answers = await asyncio.gather(*asked, return_exceptions=True)
            for fault in answers:
                if isinstance(fault, BaseException) and not isinstance(fault, SlotMoved):
                    raise fault
            if not any(isinstance(each, SlotMoved) for each in answers):
                return {found.player.id: found for found in answers if isinstance(found, Read)}
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

    async def history(self, player_id: int, limit: int, before: str | None) -> list[Entry]:
        """At most `limit` ledger rows, by command id from the newest; `before` is the last command id seen."""

        async def query(connection: AsyncConnection) -> list[Entry]:
            mine = (tables.ledger.c.slot == slot_of(player_id)) & (tables.ledger.c.player_id == player_id)
            chosen = select(tables.ledger).where(mine).order_by(tables.ledger.c.command_id.desc()).limit(limit)
            if before is not None:
                chosen = chosen.where(tables.ledger.c.command_id < before)
            return [_entry(row) for row in (await connection.execute(chosen)).mappings()]

        return await self._owned(player_id, query)

    async def inbox(self, player_id: int, limit: int, before: str | None) -> list[Mail]:
        """At most `limit` of a player's mails from the newest; `before` is the last mail id seen."""
        return await self._owned(player_id, lambda connection: inbox.page(connection, player_id, limit, before))

    async def forget_mail(self, player_id: int, mail_id: str) -> None:
        """Deletes a mail, if there is one."""
        await self._owned(player_id, lambda connection: inbox.forget(connection, player_id, mail_id))

    async def create(self, birth: Birth, password_hash: str | None) -> bool:
        """Inserts a sign-up's player: its commit point. False when there is a row of this id already.

        Raises OutcomeUnknown when the commit may have taken place.
        """

        async def write(connection: AsyncConnection) -> bool:
            inserted = await connection.execute(
                upsert(PLAYERS).values(new_row(birth.player)).on_conflict_do_nothing().returning(PLAYERS.c.id)
            )
            if inserted.first() is None:
                return False
            await connection.execute(insert(tables.ledger).values(birth_entry(birth)))
            if password_hash is not None:
                await connection.execute(insert(tables.credentials).values(**_key(birth), password_hash=password_hash))
            return True

        try:
            return await self._owned(birth.player.id, write)
        except DatabaseUnavailable as error:
            raise OutcomeUnknown(
                "Whether the player was made isn't known yet: send it again.", retry_after=1
            ) from error

    async def born(self, player_id: int, command_id: str) -> Birth | None:
        """What the sign-up `command_id` has made of this id, as its first answer told it; None if nothing."""

        async def query(connection: AsyncConnection) -> Birth | None:
            return await _find_birth(connection, player_id, command_id)

        return await self._owned(player_id, query)

    async def standing(self, change: Change) -> Standing:
        """How a rename or deletion that is to be begun finds its player.

        Raises PlayerNotFound, SessionRevoked, CommandMismatch, CommandExpired.
        """
        return await self._owned(change.player_id, lambda connection: identities.find(connection, self._window, change))

    async def rename(self, change: Change, epoch: int) -> Receipt | None:
        """Commits a rename; None if the player's claims have been changed or judged since `epoch`.

        Raises what `standing` does, and OutcomeUnknown.
        """
        return await self._committed(
            change, lambda connection: identities.rename(connection, self._window, self._game, change, epoch)
        )

    async def remove(self, change: Change, epoch: int) -> bool:
        """Commits a deletion; False if the player's claims have been changed or judged since `epoch`.

        Raises what `standing` does, and OutcomeUnknown.
        """
        return await self._committed(
            change, lambda connection: identities.remove(connection, self._window, self._game, change, epoch)
        )

    async def removed(self, change: Change) -> Sequence[Key] | None:
        """The keys of a player whom this very change deleted; None if it hasn't."""
        if not self._is_placed(change.player_id):
            return None
        return await self._owned(change.player_id, lambda connection: identities.removed(connection, change))

    async def judge(self, claim: Claim) -> Fate:
        """What an open claim comes to, whatever its sign-up or rename still does: it can't commit any more."""
        return await self._owned(
            claim.player_id, lambda connection: identities.judge(connection, claim.player_id, claim.key)
        )

    async def fate(self, claim: Claim) -> Fate:
        """What an open claim would come to at this moment."""
        return await self._owned(
            claim.player_id, lambda connection: identities.fate(connection, claim.player_id, claim.key)
        )

    async def exists(self, player_id: int) -> bool:
        """Whether there is such a player, not deleted, on his own database."""

        async def query(connection: AsyncConnection) -> bool:
            return (await connection.execute(select(PLAYERS.c.id).where(_is(player_id)))).first() is not None

        return await self._owned(player_id, query)

    async def password(self, player_id: int) -> tuple[str | None, int]:
        """The argon2 hash of a player's password, or None, and the epoch of his sessions at the same moment."""

        async def query(connection: AsyncConnection) -> tuple[str | None, int]:
            known = tables.credentials.c
            same = (known.slot == PLAYERS.c.slot) & (known.player_id == PLAYERS.c.id)
            chosen = select(known.password_hash, PLAYERS.c.session_epoch).where(_is(player_id))
            row = (await connection.execute(chosen.select_from(PLAYERS.outerjoin(tables.credentials, same)))).first()
            return (None, 0) if row is None else (row.password_hash, row.session_epoch)

        return await self._owned(player_id, query)

    async def session_epoch(self, player_id: int) -> int:
        """The epoch that a session opened now belongs to. Raises PlayerNotFound, Banned."""

        async def query(connection: AsyncConnection) -> tuple[int, bool] | None:
            chosen = select(PLAYERS.c.session_epoch, PLAYERS.c.banned).where(_is(player_id))
            row = (await connection.execute(chosen)).first()
            return None if row is None else (row.session_epoch, row.banned)

        epoch, banned = _there(await self._owned(player_id, query))
        if banned:
            raise Banned("This player is banned.")
        return epoch

    async def set_ban(self, judgement: Judgement) -> Judged:
        """Bans a player, or lifts his ban, once per command id.

        Raises PlayerNotFound, CommandMismatch, CommandExpired; OutcomeUnknown when the commit may have taken place.
        """
        try:
            return await self._owned(
                judgement.player_id, lambda connection: bans.judge(connection, self._window, self._game, judgement)
            )
        except DatabaseUnavailable as error:
            raise OutcomeUnknown("Whether it took effect isn't known yet: send it again.", retry_after=1) from error

    async def raise_session_epoch(self, player_id: int) -> None:
        """Ends every session opened so far for writes, also one that an old Redis dump brings back."""

        async def write(connection: AsyncConnection) -> int | None:
            raised = update(PLAYERS).where(_is(player_id)).values(session_epoch=PLAYERS.c.session_epoch + 1)
            epoch: int | None = (await connection.execute(raised.returning(PLAYERS.c.session_epoch))).scalar()
            return epoch

        _there(await self._owned(player_id, write))

    def _require_placed(self, player_id: int) -> None:
        if not self._is_placed(player_id):
            raise PlayerNotFound("There is no such player.")

    async def _owned(self, player_id: int, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Runs `work` in a fenced transaction on the database that owns the player's slot."""
        self._require_placed(player_id)
        return await self._slots.routed("players", slot_of(player_id), work)

    async def _committed(self, change: Change, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """`_owned` for a commit point, whose fate isn't known when its database goes away."""
        try:
            return await self._owned(change.player_id, work)
        except DatabaseUnavailable as error:
            raise OutcomeUnknown(
                f"Whether the {change.action} took effect isn't known yet: send it again.", retry_after=1
            ) from error


def _there(value: T | None) -> T:
    if value is None:
        raise PlayerNotFound("There is no such player.")
    return value


def _is(player_id: int) -> Any:
    return (PLAYERS.c.slot == slot_of(player_id)) & (PLAYERS.c.id == player_id) & ~PLAYERS.c.void
