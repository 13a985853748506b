"""Everything that is stored of a player, part by part: for an operator, or for the player itself.

Law: what comes is a page of each kind at a time, however much there is, and a page costs its own rows. The player gets
what is about it, without what operators say among themselves: notes, their reasons, who they are, and the audit log.
"""

import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from gameserver.commands import player_page
from gameserver.commands.accounts import Accounts
from gameserver.commands.export_places import ExportPlaces, OperatorPlaces
from gameserver.commands.player_page import PlayerPage, PlayerPages
from gameserver.rules.action_table import BY_OPERATORS
from gameserver.storage.accounts.bans import Ban
from gameserver.storage.accounts.player_keys import Device
from gameserver.storage.ledger.history import History, HistoryEntry
from gameserver.storage.ledger.past import Past, Undone
from gameserver.storage.mail.inbox import Mail
from gameserver.storage.operators.audit_log import AuditEntry, AuditQuestion
from gameserver.storage.operators.notes import Note
from gameserver.storage.postgres.shares import Purpose, using
from gameserver.storage.seasons.records import PastPlace, SeasonRecords
from gameserver.storage.sessions.sessions import Session

T = TypeVar("T")
PAGE = 100
"""Rows of a part: they hold up a node's other work for some 3 ms."""


@dataclass(frozen=True, slots=True)
class PlayerExports:
    """One per node."""

    pages: PlayerPages
    accounts: Accounts
    records: SeasonRecords
    history: History
    of_operators: OperatorPlaces
    places: ExportPlaces = field(default_factory=ExportPlaces)


@dataclass(frozen=True, slots=True)
class ExportPart:
    """A part of an export: what is set is the next page of its kind."""

    page: PlayerPage | None = None
    devices: Sequence[Device] = ()
    bans: Sequence[Ban] = ()
    notes: Sequence[Note] = ()
    places: Sequence[PastPlace] = ()
    letters: Sequence[Mail] = ()
    history: Sequence[HistoryEntry] = ()
    undone: Undone = field(default_factory=Undone)
    """What of the history stands no more."""
    audit: Sequence[AuditEntry] = ()

    @property
    def rows(self) -> int:
        """How many were read for it, at least."""
        parts = (self.devices, self.bans, self.notes, self.places, self.letters, self.history, self.audit)
        return max(map(len, parts))


async def of_player(exports: PlayerExports, player_id: int) -> AsyncGenerator[ExportPart, None]:
    """For an operator.

    Raises Overloaded before the first part, PlayerNotFound and DatabaseUnavailable mostly so, and TimeoutError when it
    takes too long.
    """
    async with exports.of_operators.place():
        yield ExportPart(page=await player_page.page(exports.pages, player_id))
        async for part in _rest(exports, player_id):
            yield part
        async for part in _of_colleagues(exports, player_id):
            yield part


async def _of_colleagues(exports: PlayerExports, player_id: int) -> AsyncGenerator[ExportPart, None]:
    """What operators say of the player among themselves."""
    async for notes in _paged(lambda last: exports.pages.notes.page(player_id, PAGE, last)):
        yield ExportPart(notes=notes)
    question, more = AuditQuestion(PAGE, target=str(player_id)), True
    while more:
        entries, more = await exports.pages.audit.log.find(question)
        yield ExportPart(audit=entries)
        if entries:
            question = replace(question, before=entries[-1].id)


async def own(exports: PlayerExports, session: Session, address: str | None) -> AsyncGenerator[ExportPart, None]:
    """For the player itself. Raises RateLimited, Overloaded, PlayerNotFound, DatabaseUnavailable."""
    async with exports.places.place(session.player_id, address):
        await exports.places.turn()
        with using(Purpose.READS):
            page = await player_page.page(exports.pages, session.player_id)
        yield ExportPart(page=replace(page, notes=()))
        async with contextlib.aclosing(_rest(exports, session.player_id)) as rest:
            while (part := await _in_turn(exports, rest)) is not None:
                history = [_without_reason(entry) for entry in part.history]
                bans = [ban._replace(reason="", banned_by="", ended_by=None) for ban in part.bans]
                yield replace(part, history=history, bans=bans)


async def _in_turn(exports: PlayerExports, parts: AsyncGenerator[ExportPart, None]) -> ExportPart | None:
    """The next part, when it is its turn; None at the end."""
    await exports.places.turn()
    with using(Purpose.READS):
        return await anext(parts, None)


async def _rest(exports: PlayerExports, player_id: int) -> AsyncGenerator[ExportPart, None]:
    yield ExportPart(devices=await exports.accounts.room.identities.devices_of(player_id))
    async for bans in _paged(lambda last: exports.pages.bans.page(player_id, PAGE, last)):
        yield ExportPart(bans=bans)
    async for places in _paged(lambda last: _places(exports, player_id, last)):
        yield ExportPart(places=places)
    cursor: str | None = None
    while True:
        letters = await exports.pages.play.inbox.page(player_id, PAGE, cursor)
        yield ExportPart(letters=letters.rows)
        if (cursor := letters.cursor) is None:
            break
    undone = await exports.pages.pasts.look(player_id, Past.undone)
    while True:
        history = await exports.history.page(player_id, PAGE, cursor)
        yield ExportPart(history=history.rows, undone=undone)
        if (cursor := history.cursor) is None:
            break


async def _places(exports: PlayerExports, player_id: int, last: PastPlace | None) -> list[PastPlace]:
    behind = None if last is None else (last.start, last.board)
    return await exports.records.past_places(player_id, PAGE, behind)


async def _paged(read: Callable[[T | None], Awaitable[Sequence[T]]]) -> AsyncGenerator[Sequence[T], None]:
    """Pages, each behind the last row of the one before, until one isn't full."""
    rows = await read(None)
    yield rows
    while len(rows) == PAGE:
        rows = await read(rows[-1])
        yield rows


def _without_reason(entry: HistoryEntry) -> HistoryEntry:
    return entry._replace(args={}) if entry.action in BY_OPERATORS else entry
