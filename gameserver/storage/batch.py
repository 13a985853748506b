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
from typing import Any, NamedTuple

import asyncpg
import orjson
import structlog
from pydantic import BaseModel

from gameserver.rules.dice import Dice
from gameserver.rules.errors import (
    CommandExpired,
    CommandMismatch,
    GameError,
    Internal,
    PlayerNotFound,
    Refused,
    RuleBroken,
    SessionRevoked,
)
from gameserver.rules.items import Items
from gameserver.rules.player import Moment, Outcome, Player
from gameserver.rules.rulebook import MAIL, Rulebook
from gameserver.storage import sql
from gameserver.storage.databases import Link
from gameserver.storage.ids import command_milliseconds, mail_id, slot_of
from gameserver.storage.mailbag import Letter, LetterSettled, Mailbag, Posting
from gameserver.storage.scoring import Scores, Scoring
from gameserver.storage.slots import SlotMoved
from gameserver.storage.stacks import Payment, Stacks, Unpaid

log = structlog.get_logger()

SQL = sql.load("write_path.sql")


@dataclass(slots=True)
class Command:
    """What is asked of one player. `args` is the validated model, `session_epoch` the one his session was opened in.

    `takes` are items that it takes of him; it has a `payment` when they lie in another database.
    """

    id: str
    player_id: int
    action: str
    args: BaseModel
    session_epoch: int
    letter: Letter | None = None
    """The letter that this command delivers: its id is the mail id, `action` its kind, and `args` aren't read."""
    takes: Items = ()
    payment: Payment | None = None


@dataclass(slots=True)
class Receipt:
    """What a command led to: the player after it, as the first answer told it."""

    command_id: str
    player: Player
    max_hp: int
    events: Sequence[dict[str, Any]]
    replayed: bool
    payment: str | None = None
    """The token of the reservation that paid for it, if its items were in another database."""
    at: datetime | None = None
    """When it took effect; None for one that is replayed."""


class LockedElsewhere(Exception):
    """Another transaction holds the player: the command goes back to the queue."""


class FateUnknown(Exception):
    """The commit may or may not have taken place."""


Verdict = Receipt | GameError | LockedElsewhere | SlotMoved | Unpaid | LetterSettled


@dataclass(slots=True)
class _Row:
    """A locked player: as he was and as the batch leaves him."""

    player: Player
    session_epoch: int
    changed: bool = False


class _Entry(NamedTuple):
    """A ledger row to write, in the order of the statement's arguments."""

    slot: int
    player_id: int
    command_id: str
    action: str
    args: str
    seed: int
    outcome: str
    version: int


class _Known(NamedTuple):
    """What the ledger has under a command id."""

    action: str
    args: str
    outcome: str
    version: int


@dataclass(slots=True)
class Window:
    """How far a new command's id may lie from the server's time, in milliseconds."""

    back: int
    ahead: int

    def refuse(self, command_id: str, now: datetime) -> None:
        """Raises CommandExpired, with the server's time."""
        age = now.timestamp() * 1000 - command_milliseconds(command_id)
        if not -self.ahead <= age <= self.back:
            shown = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
            raise CommandExpired(
                f"The command id's time is outside the window; the server's time is {shown}.",
                extra={"server_time": shown},
            )


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
    _known: dict[tuple[int, str], _Known] = field(default_factory=dict)
    _entries: list[_Entry] = field(default_factory=list)
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
                known = _Known(row["action"], row["args"], row["outcome"], row["version"])
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
            return self._apply(command, row) if known is None else _replay(command, known, row.player)
        except RuleBroken as error:
            log.error("a rule is broken", action=command.action, player=command.player_id, fault=error.fault)
            return error
        except (GameError, Unpaid) as error:
            return error
        except Exception:
            log.exception("a rule raised", action=command.action, player=command.player_id, command=command.id)
            return Internal("The action could not be carried out.")

    def _deliver(self, command: Command, letter: Letter, row: _Row | None) -> Verdict:
        """What came of the letter when it was delivered before; else it takes effect, or is refused for good."""
        absent = self._absent[command.player_id] if row is None else None
        if isinstance(absent, LockedElsewhere | SlotMoved):
            return absent
        if (why := self._mail.refused_before(letter)) is not None:
            return LetterSettled(why)
        known = self._known.get((command.player_id, command.id))
        if known is not None:
            return LetterSettled(None) if row is None else _told_before(command, known, row.player)
        if row is None:
            return self._mail.refuse(letter, PlayerNotFound.code)
        return self._open(command, letter, row)

    def _open(self, command: Command, letter: Letter, row: _Row) -> Receipt | LetterSettled:
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
            self.window.refuse(command.id, self._now)
        if command.takes:
            self.stacks.check(command)
        seed = next(self._seeds)
        moment = Moment(self._now, Dice(seed), self.rulebook.game)
        outcome = self.rulebook.apply(command.action, row.player, command.args, moment)
        if outcome.grants and command.letter is None:
            self.stacks.require_room(command, outcome.grants)
        postings: Sequence[Posting] = ()
        if outcome.letters:
            postings, outcome = self._stamped(command, outcome)
        max_hp = self.rulebook.game.max_hp(outcome.player.class_name, outcome.player.level)
        self.scoring.note(self._scores, row.player, outcome)
        told = _told(outcome, max_hp, command.payment)
        args = json_of(command.args)
        row.player, row.changed = outcome.player, True
        player_id, version = command.player_id, outcome.player.version
        self._entries.append(
            _Entry(slot_of(player_id), player_id, command.id, command.action, args, seed, told, version)
        )
        self._known[player_id, command.id] = _Known(command.action, args, told, version)
        if postings:
            self._mail.post(postings)
        if command.takes or outcome.grants:
            self.stacks.record(command, outcome.grants)
        token = None if command.payment is None else command.payment.token
        return Receipt(command.id, outcome.player, max_hp, outcome.events, replayed=False, payment=token, at=self._now)

    def _stamped(self, command: Command, outcome: Outcome) -> tuple[Sequence[Posting], Outcome]:
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


def _replay(command: Command, known: _Known, player: Player) -> Receipt:
    if (known.action, known.args) != (command.action, json_of(command.args)):
        raise CommandMismatch("The command id was used before, for another command.")
    return _told_before(command, known, player)


def _told_before(command: Command, known: _Known, player: Player) -> Receipt:
    told = orjson.loads(known.outcome)
    after = Player(
        id=player.id,
        name=told["name"],
        class_name=told["class"],
        level=told["level"],
        hp=told["hp"],
        exp=told["exp"],
        version=known.version,
        created_at=player.created_at,
        exp_reached_at=player.exp_reached_at,
    )
    return Receipt(command.id, after, told["max_hp"], told["events"], replayed=True, payment=told.get("payment"))


def _cause(error: GameError) -> str:
    return error.fault if isinstance(error, RuleBroken) else str(error.errors or error.detail)


def _told(outcome: Outcome, max_hp: int, payment: Payment | None) -> str:
    player = outcome.player
    told = {
        "name": player.name,
        "class": player.class_name,
        "level": player.level,
        "hp": player.hp,
        "max_hp": max_hp,
        "exp": player.exp,
        "events": outcome.events,
    }
    if payment is not None:
        told["payment"] = payment.token
    return json_of(told)


def json_of(value: object) -> str:
    """JSON as the ledger keeps it: the same value always gives the same text."""
    if isinstance(value, BaseModel):
        return value.model_dump_json()
    return orjson.dumps(value).decode()


def player_of(row: Sequence[Any]) -> Player:
    """A player of a row that begins with his columns, in the order of his fields (`schema.PLAYER`)."""
    return Player(*row[: len(Player._fields)])
