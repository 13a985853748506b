"""The letters of one group commit: those that it sends, and those that it receives.

Law: a letter ends in one of two ways, in one transaction on the database of its recipient, under the recipient's lock:
it takes effect (a ledger row under its mail id, and an inbox row), or it is refused for good (an inbox row with the
reason). A repeated delivery finds that, whatever has happened since. How many letters of a player may wait is bounded;
a command that would send more is refused.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import asyncpg

from gameserver.rules.errors import Overloaded, RuleBroken
from gameserver.storage.ids import hops, slot_of
from gameserver.storage.postgres import statements

SQL = statements.load(__package__, "mailbag.sql")
WAITING = 100
"""A player with so many letters in the outbox can't send another one."""
HOPS = 4
"""How long a chain of letters that answer each other may be."""


@dataclass(frozen=True, slots=True)
class SentLetter:
    """A letter on its way; `payload` is JSON text, `at` when it was sent. `mail_id` follows from the first three."""

    player_id: int
    command_id: str
    number: int
    kind: str
    recipient: int
    payload: str
    at: datetime
    mail_id: str


class OutboxRow(NamedTuple):
    """A row to insert into the outbox, in the order of the statement's arguments; `payload` is JSON text."""

    slot: int
    player_id: int
    command_id: str
    number: int
    kind: str
    recipient: int
    payload: str


class _InboxRow(NamedTuple):
    """A row to insert into the inbox, in the order of the statement's arguments."""

    slot: int
    player_id: int
    mail_id: str
    kind: str
    sender: int
    payload: str
    sent_at: datetime
    refused: str | None


class LetterSettled(Exception):
    """The letter has ended before: `refused` is the reason, None if it took effect. Caught inside storage."""

    def __init__(self, refused: str | None) -> None:
        self.refused = refused
        super().__init__(refused)


@dataclass(slots=True)
class Mailbag:
    """One per batch; `look_up` is called after the players are locked, `write` before the commit."""

    posted: list[OutboxRow] = field(default_factory=list)
    _arrived: list[_InboxRow] = field(default_factory=list)
    _refused: dict[tuple[int, str], str] = field(default_factory=dict)
    _waiting: Counter[int] = field(default_factory=Counter)

    async def look_up(
        self, connection: asyncpg.Connection, letters: Sequence[SentLetter], senders: Sequence[int]
    ) -> None:
        """Reads which of the letters were refused before, and how many letters of the senders wait."""
        if letters:
            recipients = [letter.recipient for letter in letters]
            ids = [letter.mail_id for letter in letters]
            rows = await connection.fetch(SQL["refused"], list(map(slot_of, recipients)), recipients, ids)
            self._refused = {(row["player_id"], row["mail_id"]): row["refused"] for row in rows}
        if senders:
            rows = await connection.fetch(SQL["waiting"], list(map(slot_of, senders)), senders, WAITING)
            self._waiting.update({row["player_id"]: row["waiting"] for row in rows})

    def refused_before(self, letter: SentLetter) -> str | None:
        """Why the letter was refused when it was delivered before; None if it wasn't."""
        return self._refused.get((letter.recipient, letter.mail_id))

    def rows_for(self, player_id: int, command_id: str, letters: Sequence[tuple[str, int, str]]) -> list[OutboxRow]:
        """Rows for the letters of a command (kind, recipient, payload), to be given to `post`.

        Raises Overloaded when too many letters of the player wait, but not for answers to letters, which mustn't be
        lost; RuleBroken when letters answer each other too often.
        """
        if hops(command_id) >= HOPS:
            raise RuleBroken(f"letters answer each other more than {HOPS} times")
        if self._waiting[player_id] >= WAITING and not hops(command_id):
            raise Overloaded("Too many letters of the player wait to be delivered.", retry_after=1)
        key = slot_of(player_id), player_id, command_id
        return [OutboxRow(*key, number, *letter) for number, letter in enumerate(letters)]

    def post(self, rows: Sequence[OutboxRow]) -> None:
        """Notes rows to be written."""
        self.posted += rows
        for row in rows:
            self._waiting[row.player_id] += 1

    def take_in(self, letter: SentLetter, payload: str) -> None:
        """Notes that the letter takes effect; `payload` is what the recipient is shown, as JSON text."""
        self._arrived.append(_inbox_row(letter, payload, None))

    def refuse(self, letter: SentLetter, why: str) -> LetterSettled:
        """Notes that the letter is refused for good."""
        self._refused[letter.recipient, letter.mail_id] = why
        self._arrived.append(_inbox_row(letter, letter.payload, why))
        return LetterSettled(why)

    async def write(self, connection: asyncpg.Connection) -> None:
        """Writes both boxes."""
        if self.posted:
            await connection.fetch(SQL["post"], *_columns(self.posted))
        if self._arrived:
            await connection.fetch(SQL["arrive"], *_columns(self._arrived))


def _inbox_row(letter: SentLetter, payload: str, refused: str | None) -> _InboxRow:
    key = slot_of(letter.recipient), letter.recipient, letter.mail_id
    return _InboxRow(*key, letter.kind, letter.player_id, payload, letter.at, refused)


def _columns(rows: Sequence[tuple[Any, ...]]) -> Sequence[tuple[Any, ...]]:
    return list(zip(*rows, strict=True))
