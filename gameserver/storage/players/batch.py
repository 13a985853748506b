"""One group commit: a transaction over the commands of some players, in its named steps.

Law: a verdict that is handed out was committed before. A command in the ledger is answered from there and changes
nothing; one that a rule refuses changes nothing and leaves its neighbours alone. Dedupe is a statement of its own
after the locks. Items are the matter of `Stacks`. What isn't sure (the commit's answer was lost, or the server warned
that its wait for a standby was cancelled) raises `FateUnknown`, and only the ledger can tell.
"""

import os
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import asyncpg
import orjson
import structlog

from gameserver.rules.dice import Dice
from gameserver.rules.errors import GameError, Internal, PlayerNotFound, Refused, RuleBroken, SessionRevoked
from gameserver.rules.player import Moment, Outcome, Player
from gameserver.rules.rulebook import MAIL, Rulebook
from gameserver.storage.ids import mail_id, slot_of
from gameserver.storage.items.stacks import Stacks, Unpaid
from gameserver.storage.ledger.rows import BatchRow, Recorded, json_of, outcome_of
from gameserver.storage.ledger.window import Window
from gameserver.storage.mail.mailbag import LetterSettled, Mailbag, OutboxRow, SentLetter
from gameserver.storage.players.command import (
    Command,
    FateUnknown,
    LockedElsewhere,
    Receipt,
    Verdict,
    first_answer,
    replay,
)
from gameserver.storage.postgres import statements
from gameserver.storage.postgres.link import Link
from gameserver.storage.seasons.scoring import Scores, Scoring
from gameserver.storage.slots.slot_map import SlotMoved
from gameserver.storage.tables import player_of

log = structlog.get_logger()

SQL = statements.load(__package__, "batch.sql")


@dataclass(slots=True)
class _Row:
    """A locked player: as he was and as the batch leaves him."""

    player: Player
    session_epoch: int
    changed: bool = False


@dataclass(slots=True, repr=False)
class Batch:
    """Decides commands and writes what they led to."""

    rulebook: Rulebook
    window: Window
    commands: Sequence[Command]
    stacks: Stacks
    scoring: Scoring
    _rows: dict[int, _Row] = field(default_factory=dict)
    _absent: dict[int, GameError | LockedElsewhere | SlotMoved] = field(default_factory=dict)
    _known: dict[tuple[int, str], Recorded] = field(default_factory=dict)
    _entries: list[BatchRow] = field(default_factory=list)
    _scores: Scores = field(default_factory=dict)
    _mail: Mailbag = field(default_factory=Mailbag)
    _now: datetime = field(init=False)
    """The database's time under the fence: one for the batch."""
    _seeds: Iterator[int] = field(init=False)

    def __post_init__(self) -> None:
        drawn = os.urandom(8 * len(self.commands))
        self._seeds = (each >> 1 for (each,) in struct.iter_unpack("Q", drawn))

    async def commit(self, link: Link, go_on: Callable[[], bool]) -> list[Verdict]:
        """A verdict for each command. Raises FateUnknown, LOST or another driver error, with nothing written.

        Asks `go_on` at the end whether to begin the next transaction in the same round trip.
        """
        connection = await link.open()
        link.warned = False
        if not connection.is_in_transaction():
            await connection.execute("begin")
        await self._gather(connection)
        if takers := [each for each in self.commands if each.takes and self._is_new(each)]:
            await self.stacks.load(connection, takers)
        await self._look_up_mail(connection)
        verdicts = [self._decide(command) for command in self.commands]
        await self._write(connection)
        await _end(connection, link, "commit and chain" if go_on() else "commit")
        return verdicts

    async def _gather(self, connection: asyncpg.Connection) -> None:
        ids = sorted({command.player_id for command in self.commands})
        commands = [command.id for command in self.commands]
        players = [command.player_id for command in self.commands]
        rows = await connection.fetch(
            SQL["gather"],
            [slot_of(each) for each in ids],
            ids,
            [slot_of(each) for each in players],
            players,
            commands,
            min(commands),
            max(commands),
        )
        for row in rows:
            if row["command_id"] is None:
                self._rows[row["id"]] = _Row(player_of(row), row["session_epoch"])
                self._now = row["now"]
            else:
                known = Recorded(row["action"], row["args"], row["outcome"], row["version"])
                self._known[row["id"], row["command_id"]] = known
        if absent := [each for each in ids if each not in self._rows]:
            for row in await connection.fetch(SQL["absent"], [slot_of(each) for each in absent], absent):
                self._absent[row["id"]] = _why_absent(row)

    def _is_new(self, command: Command) -> bool:
        return command.player_id in self._rows and (command.player_id, command.id) not in self._known

    async def _look_up_mail(self, connection: asyncpg.Connection) -> None:
        """Costs a statement only if some of the commands have to do with mail."""
        sending = self.rulebook.sending
        letters = [command.letter for command in self.commands if command.letter is not None]
        senders = {command.player_id for command in self.commands if command.action in sending}
        if letters or senders:
            await self._mail.look_up(connection, letters, list(senders))

    def has_posted(self) -> bool:
        """Whether something now waits in the outbox."""
        return bool(self._mail.posted) or self.stacks.sent

    def _decide(self, command: Command) -> Verdict:
        row = self._rows.get(command.player_id)
        if command.letter is not None:
            return self._deliver(command, command.letter, row)
        if row is None:
            return self._absent[command.player_id]
        try:
            if command.session_epoch < row.session_epoch:
                raise SessionRevoked("The session has ended.")
            known = self._known.get((command.player_id, command.id))
            return self._apply(command, row) if known is None else replay(command, known, row.player)
        except RuleBroken as error:
            log.error("a rule is broken", action=command.action, player=command.player_id, fault=error.fault)
            return error
        except (GameError, Unpaid) as error:
            return error
        except Exception:
            log.exception("a rule raised", action=command.action, player=command.player_id, command=command.id)
            return Internal("The action could not be carried out.")

    def _deliver(self, command: Command, letter: SentLetter, row: _Row | None) -> Verdict:
        """What came of the letter when it was delivered before; else it takes effect, or is refused for good."""
        absent = self._absent[command.player_id] if row is None else None
        if isinstance(absent, LockedElsewhere | SlotMoved):
            return absent
        if (why := self._mail.refused_before(letter)) is not None:
            return LetterSettled(why)
        known = self._known.get((command.player_id, command.id))
        if known is not None:
            return LetterSettled(None) if row is None else first_answer(command, known, row.player)
        if row is None:
            return self._mail.refuse(letter, PlayerNotFound.code)
        return self._open(command, letter, row)

    def _open(self, command: Command, letter: SentLetter, row: _Row) -> Receipt | LetterSettled:
        try:
            args = self.rulebook.recorded(letter.kind, orjson.loads(letter.payload))
            receipt = self._apply(replace(command, args=args), row)
        except GameError as error:
            if not isinstance(error, Refused):
                log.error("a letter can't take effect", kind=letter.kind, mail=command.id, error=_cause(error))
            return self._mail.refuse(letter, error.code)
        except Exception:
            log.exception("a letter's rule raised", kind=letter.kind, mail=command.id)
            return self._mail.refuse(letter, Internal.code)
        shown = json_of({"args": orjson.Fragment(json_of(args)), "events": receipt.events})
        self._mail.take_in(letter, shown)
        return receipt

    def _apply(self, command: Command, row: _Row) -> Receipt:
        if command.letter is None:
            self.window.check(command.id, self._now)
        if command.takes:
            self.stacks.check(command)
        seed = next(self._seeds)
        moment = Moment(self._now, Dice(seed), self.rulebook.game)
        outcome = self.rulebook.apply(command.action, row.player, command.args, moment)
        if outcome.grants and command.letter is None:
            self.stacks.require_room(command, outcome.grants)
        postings: Sequence[OutboxRow] = ()
        if outcome.letters:
            postings, outcome = self._stamped(command, outcome)
        max_hp = self.rulebook.game.max_hp(outcome.player.class_name, outcome.player.level)
        self.scoring.note(self._scores, row.player, outcome)
        paid = {} if command.payment is None else {"payment": command.payment.token}
        answer = json_of(outcome_of(outcome.player, max_hp, outcome.events, **paid))
        args = json_of(command.args)
        row.player, row.changed = outcome.player, True
        player_id, version = command.player_id, outcome.player.version
        self._entries.append(
            BatchRow(slot_of(player_id), player_id, command.id, command.action, args, seed, answer, version)
        )
        self._known[player_id, command.id] = Recorded(command.action, args, answer, version)
        if postings:
            self._mail.post(postings)
        if command.takes or outcome.grants:
            self.stacks.record(command, outcome.grants)
        token = None if command.payment is None else command.payment.token
        return Receipt(command.id, outcome.player, max_hp, outcome.events, replayed=False, payment=token, at=self._now)

    def _stamped(self, command: Command, outcome: Outcome) -> tuple[Sequence[OutboxRow], Outcome]:
        """The rows of the outcome's letters, and the outcome with an event that tells of each."""
        letters = [(each.kind, each.recipient, json_of(each.args)) for each in outcome.letters]
        postings = self._mail.postings(command.player_id, command.id, letters)
        events = tuple(
            {
                "type": "mail_sent",
                "mail_id": mail_id(each.player_id, each.command_id, each.number),
                "kind": each.kind.removeprefix(MAIL),
                "to": str(each.recipient),
            }
            for each in postings
        )
        return postings, outcome._replace(events=outcome.events + events)

    async def _write(self, connection: asyncpg.Connection) -> None:
        await self._mail.write(connection)
        if not self._entries:
            return
        changed = [row.player for row in self._rows.values() if row.changed]
        states = [(slot_of(who.id), who.id, who.class_name, who.level, who.hp, who.exp, who.version) for who in changed]
        await connection.fetch(SQL["write"], self._now, *zip(*self._entries, strict=True), *zip(*states, strict=True))
        if self._scores:
            versions = {who.id: who.version for who in changed}
            await connection.fetch(SQL["score"], *self.scoring.arguments(self._scores, versions, self._now))
        if self.stacks.changed:
            await self.stacks.write(connection, self._now)


async def _end(connection: asyncpg.Connection, link: Link, how: str) -> None:
    try:
        await connection.execute(how)
    except asyncpg.PostgresError as error:
        if isinstance(error, asyncpg.PostgresConnectionError | asyncpg.exceptions.OperatorInterventionError):
            raise FateUnknown(str(error)) from error
        raise
    except (OSError, TimeoutError, asyncpg.InterfaceError) as error:
        raise FateUnknown(f"{type(error).__name__}: {error}") from error
    if link.warned:
        raise FateUnknown("the server warned on commit")


def _why_absent(row: asyncpg.Record) -> GameError | LockedElsewhere | SlotMoved:
    if not row["owned"]:
        return SlotMoved()
    return LockedElsewhere() if row["exists"] else PlayerNotFound("There is no such player.")


def _cause(error: GameError) -> str:
    return error.fault if isinstance(error, RuleBroken) else str(error.errors or error.detail)
