"""The letters of one group commit: those that it sends, and those that it receives.

Law: a letter ends in one of two ways, in one transaction on the database of its recipient, under the recipient's lock:
it takes effect (a ledger row under its mail id, and an inbox row), or it is refused for good (an inbox row with the
reason). A repeated delivery finds that, whatever has happened since. Where the ledger has dropped what happened to the
recipient since the letter was sent, nobody can tell whether it took effect: it takes none any more, and one of the
server's ends as `unknown`. That is so only if the database that sends it went back behind weeks that are dropped.

How many letters of a player may wait is bounded, how many for one database, and how often a player sends and receives
them (`bounds`): a command that would send more is refused. A letter of a sender that the recipient blocks, and one too
many, is refused for good under one code: a sender can't tell which.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import asyncpg

from gameserver.rules.errors import Overloaded, RuleBroken
from gameserver.storage.ids import THE_SERVER, hops, mail_id, slot_of
from gameserver.storage.ledger.rows import json_of
from gameserver.storage.mail.bounds import RECEIVED, LetterCounts
from gameserver.storage.postgres import statements

SQL = statements.load(__package__, "mailbag.sql")
WAITING = 100
"""A player with so many letters in the outbox can't send another one."""
NOT_ACCEPTED = "not_accepted"
"""Why a letter is refused whose recipient blocks the sender, or gets too many."""
UNKNOWN = "unknown"
"""How a letter of the server's ends of which nobody can tell whether it took effect."""
SENDER_SHARE = 5
"""An inbox that is trimmed loses a sender's letters first that are more than a fifth of what it may hold."""
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

    @property
    def begun_by_player(self) -> bool:
        """Whether another player began it: it isn't an answer, returned, or the server's."""
        return self.player_id not in (0, self.recipient) and not hops(self.command_id)


def letter_of_server(recipient: int, command_id: str, kind: str, args: Mapping[str, Any], at: datetime) -> SentLetter:
    """The one letter of a command of the server's; its mail id follows from the command id. `args` gain the sender."""
    payload = json_of({"sender": str(THE_SERVER), **args})
    mail = mail_id(THE_SERVER, command_id, 0)
    return SentLetter(THE_SERVER, command_id, 0, kind, recipient, payload, at, mail)


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

    counts: LetterCounts
    is_full: Callable[[int], bool]
    """Whether so many letters wait for the owner of a slot that no more may be sent there."""
    posted: list[OutboxRow] = field(default_factory=list)
    _arrived: list[_InboxRow] = field(default_factory=list)
    _refused: dict[tuple[int, str], str] = field(default_factory=dict)
    _received: set[tuple[int, str]] = field(default_factory=set)
    """What the inbox has, and took effect."""
    _forgotten: set[tuple[int, str]] = field(default_factory=set)
    _blocked: set[tuple[int, str]] = field(default_factory=set)
    _waiting: Counter[int] = field(default_factory=Counter)

    async def look_up(
        self, connection: asyncpg.Connection, letters: Sequence[SentLetter], senders: Sequence[int]
    ) -> None:
        """Reads what is known of letters from before, which are blocked, and what players have sent and received."""
        if letters:
            recipients = [letter.recipient for letter in letters]
            ids = [letter.mail_id for letter in letters]
            slots, authors = list(map(slot_of, recipients)), [letter.player_id for letter in letters]
            times = [letter.at for letter in letters]
            for row in await connection.fetch(SQL["arriving"], slots, recipients, ids, authors, times):
                self._note_arriving(row)
        if senders:
            slots = list(map(slot_of, senders))
            for row in await connection.fetch(SQL["waiting"], slots, senders, WAITING):
                if row["other_id"] is None:
                    self._waiting[row["player_id"]] = row["waiting"]
                else:
                    self.counts.load(row["player_id"], row["other_id"], row["rest"], 0)

    def _note_arriving(self, row: asyncpg.Record) -> None:
        key = row["player_id"], row["mail_id"]
        if row["refused"] is not None:
            self._refused[key] = row["refused"]
        for column, letters in (
            ("arrived", self._received), ("forgotten", self._forgotten), ("blocked", self._blocked)
        ):  # fmt: skip
            if row[column]:
                letters.add(key)
        if row["rest"] is not None:
            self.counts.load(row["player_id"], RECEIVED, row["rest"], row["arrivals"])

    def settled_before(self, letter: SentLetter, *, recorded: bool) -> LetterSettled | None:
        """How the letter ended before, if it isn't to take effect; `recorded` says whether the ledger has it."""
        key = letter.recipient, letter.mail_id
        if (refused := self._refused.get(key)) is not None:
            return LetterSettled(refused)
        if recorded or not (key in self._received or key in self._forgotten):
            return None
        # Another player's isn't returned: what came with it may be there.
        is_unknown = key not in self._received and letter.player_id == THE_SERVER
        return LetterSettled(UNKNOWN if is_unknown else None)

    def is_welcome(self, letter: SentLetter, now: datetime) -> bool:
        """Whether a new letter may take effect: its recipient doesn't block its sender, and hasn't had too many."""
        if not letter.begun_by_player:
            return True
        if (letter.recipient, letter.mail_id) in self._blocked:
            return False
        return self.counts.may_receive(letter.recipient, now)

    def rows_for(
        self, player_id: int, command_id: str, letters: Sequence[tuple[str, int, str]], now: datetime
    ) -> list[OutboxRow]:
        """Rows for the letters of a command (kind, recipient, payload), to be given to `post`.

        Raises Overloaded when too many letters of the player, or for a recipient's database, wait, RateLimited when it
        sends too many, but neither for answers to letters, which mustn't be lost; RuleBroken when letters answer each
        other too often.
        """
        if hops(command_id) >= HOPS:
            raise RuleBroken(f"letters answer each other more than {HOPS} times")
        if not hops(command_id):
            if self._waiting[player_id] >= WAITING:
                raise Overloaded("Too many letters of the player wait to be delivered.", retry_after=1)
            recipients = [recipient for _, recipient, _ in letters]
            if any(map(self.is_full, map(slot_of, recipients))):
                raise Overloaded("Too many letters wait for that player's database.", retry_after=2)
            self.counts.require_sendable(player_id, recipients, now)
        key = slot_of(player_id), player_id, command_id
        return [OutboxRow(*key, number, *letter) for number, letter in enumerate(letters)]

    def post(self, rows: Sequence[OutboxRow], now: datetime) -> None:
        """Notes rows to be written, all of one command."""
        self.posted += rows
        self._waiting[rows[0].player_id] += len(rows)
        if not hops(rows[0].command_id):
            self.counts.spend_sent(rows[0].player_id, [row.recipient for row in rows], now)

    def take_in(self, letter: SentLetter, payload: str, now: datetime) -> None:
        """Notes that the letter takes effect; `payload` is what the recipient is shown, as JSON text."""
        self._arrived.append(_inbox_row(letter, payload, None))
        self.counts.arrive(letter.recipient, now, counted=letter.begun_by_player)

    def refuse(self, letter: SentLetter, why: str) -> LetterSettled:
        """Notes that the letter is refused for good."""
        self._refused[letter.recipient, letter.mail_id] = why
        self._arrived.append(_inbox_row(letter, letter.payload, why))
        return LetterSettled(why)

    async def write(self, connection: asyncpg.Connection) -> None:
        """Writes both boxes, trims inboxes that have become too long, and writes the counts."""
        if self.posted:
            await connection.fetch(SQL["post"], *_columns(self.posted))
        if self._arrived:
            await connection.fetch(SQL["arrive"], *_columns(self._arrived))
        if full := self.counts.take_full():
            limits = self.counts.limits
            leave = limits.inbox - limits.arrivals + 1
            share = max(limits.inbox // SENDER_SHARE, 1)
            await connection.fetch(SQL["trim"], list(map(slot_of, full)), full, leave, share)
        if rows := self.counts.rows():
            await connection.fetch(SQL["count"], *_columns(rows))


def _inbox_row(letter: SentLetter, payload: str, refused: str | None) -> _InboxRow:
    key = slot_of(letter.recipient), letter.recipient, letter.mail_id
    return _InboxRow(*key, letter.kind, letter.player_id, payload, letter.at, refused)


def _columns(rows: Sequence[tuple[Any, ...]]) -> Sequence[tuple[Any, ...]]:
    return list(zip(*rows, strict=True))
