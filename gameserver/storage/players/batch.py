"""One group commit: a transaction over the commands of some players, in its named steps.

Law: a verdict that is handed out was committed before. A command that is in the ledger is answered from there and
changes nothing; one that a rule refuses changes nothing and leaves its neighbours alone, but is in the ledger from then
on if it may come again. The ledger is read after the locks, in a statement of its own, so no duplicate can slip in
between. Items are left to `Stacks`. A commit whose fate isn't sure raises `CommitUnsure`. What was seen isn't lost: an
answer from the ledger, too, is given after this transaction's own commit. That waits for a standby because of its row
locks; without any, it leaves a mark.
"""

import os
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import asyncpg
import orjson
import structlog

from gameserver.garbage import without_frames
from gameserver.rules.dice import Dice
from gameserver.rules.errors import (
    ClassMissing,
    GameError,
    Internal,
    PlayerNotFound,
    Refused,
    RuleBroken,
)
from gameserver.rules.outcomes import MAIL_SENT
from gameserver.rules.player import Moment, Outcome, Player
from gameserver.rules.player_data import dump
from gameserver.rules.rulebook import MAIL
from gameserver.storage.ids import mail_id, slot_of
from gameserver.storage.items.stacks import Unpaid
from gameserver.storage.ledger.refusals import refusal_of, refused_seed
from gameserver.storage.ledger.rows import BatchRow, Recorded, bounded_json_of, changed_data, json_of, outcome_of
from gameserver.storage.ledger.window import Window
from gameserver.storage.mail.bounds import LetterCounts, LetterLimits
from gameserver.storage.mail.mailbag import NOT_ACCEPTED, LetterSettled, Mailbag, OutboxRow, SentLetter
from gameserver.storage.players.command import (
    Command,
    LeftOver,
    Postponement,
    Receipt,
    Verdict,
    first_answer,
    is_final,
    replay,
)
from gameserver.storage.players.gathering import SQL, Gathered, LockedPlayer, gather
from gameserver.storage.players.judging import BatchRules, Judging, refitted, unjudged
from gameserver.storage.players.rule_log import rule_failed
from gameserver.storage.players.rule_time import RuleTime
from gameserver.storage.postgres.driver import LEAVE_A_MARK
from gameserver.storage.postgres.link import Link
from gameserver.storage.seasons.scoring import CorrectedScore, Scores, corrected_scores

log = structlog.get_logger()

PLAYER_COLUMNS = 8
"""Arrays of the statement `write` that describe players."""


@dataclass(slots=True, repr=False)
class Batch:
    """Decides commands and writes what they led to."""

    judging: Judging
    window: Window
    commands: Sequence[Command]
    letters: LetterLimits
    time: RuleTime
    is_full: Callable[[int], bool]
    _by: BatchRules = field(init=False)
    _sent_items: bool = False
    _gathered: Gathered = field(init=False)
    _entries: list[BatchRow] = field(default_factory=list)
    _traced: list[tuple[int, int, bytes]] = field(default_factory=list)
    _scores: Scores = field(default_factory=dict)
    _corrected_scores: list[CorrectedScore] = field(default_factory=list)
    _mail: Mailbag = field(init=False)
    _seeds: Iterator[int] = field(init=False)

    def __post_init__(self) -> None:
        self._mail = Mailbag(LetterCounts(self.letters), self.is_full)
        drawn = os.urandom(8 * len(self.commands))
        self._seeds = (number >> 1 for (number,) in struct.iter_unpack("Q", drawn))

    async def commit(self, link: Link, has_more: Callable[[], bool]) -> list[Verdict]:
        """A verdict for each command. Raises CommitUnsure, LOST or another driver error, with nothing written.

        Asks `has_more` at the end whether to begin the next transaction in the same round trip.
        """
        connection = await link.open()
        # Begin, unless the last commit has already begun this transaction.
        if not connection.is_in_transaction():
            await connection.execute("begin")
        # Lock the players, then read what the decisions depend on.
        known = self._gathered = await gather(connection, self.commands)
        verdicts = await self._judged(connection, self.judging.by(known.edition, known.now, decided=known.decided))
        # Only after the commit may a verdict leave.
        if not self._gathered.locked and not all(isinstance(verdict, Postponement) for verdict in verdicts):
            await connection.execute(f"select {LEAVE_A_MARK}")
        await connection.execute("commit and chain" if has_more() else "commit")
        return verdicts

    async def _judged(self, connection: asyncpg.Connection, by: BatchRules | None) -> list[Verdict]:
        if by is None:
            return [unjudged(command, self._gathered) for command in self.commands]
        self._by = by
        if takers := [command for command in self.commands if command.takes and self._is_new(command)]:
            await by.stacks.load(connection, takers)
        await self._look_up_mail(connection)
        # Decide in the order of submission, in memory; then write everything at once.
        self.time.start()
        verdicts = [self._decide(command) if self.time.begin() else LeftOver() for command in self.commands]
        await self._write(connection)
        return verdicts

    def _is_new(self, command: Command) -> bool:
        known = self._gathered
        return command.player_id in known.locked and (command.player_id, command.id) not in known.recorded

    async def _look_up_mail(self, connection: asyncpg.Connection) -> None:
        """Costs a statement only if some of the commands send or deliver mail."""
        sending = self._by.rulebook.sending
        letters = [command.letter for command in self.commands if command.letter is not None]
        if (senders := {command.player_id for command in self.commands if command.action in sending}) or letters:
            await self._mail.look_up(connection, letters, list(senders))

    def has_posted(self) -> bool:
        """Whether the batch has put something into the outbox."""
        return bool(self._mail.posted) or self._sent_items

    def _decide(self, command: Command) -> Verdict:
        locked = self._gathered.locked.get(command.player_id)
        if command.letter is not None:
            return self._deliver(command, command.letter, locked)
        if locked is None:
            return self._gathered.absent[command.player_id]
        try:
            locked.require_session(command)
            recorded = self._gathered.recorded.get((command.player_id, command.id))
            return self._settle(command, locked) if recorded is None else replay(command, recorded, locked.player)
        except RuleBroken as error:
            rule_failed(self._by.rulebook, command, error)
            return without_frames(error)
        except (GameError, Unpaid) as error:
            return without_frames(error)
        except Exception as error:
            rule_failed(self._by.rulebook, command, error)
            return Internal("The action could not be carried out.")

    def _deliver(self, command: Command, letter: SentLetter, locked: LockedPlayer | None) -> Verdict:
        """An earlier delivery's result; without one, the letter takes effect now or is refused for good."""
        absent = self._gathered.absent[command.player_id] if locked is None else None
        # Another database, or a later transaction, has to decide.
        if isinstance(absent, Postponement):
            return absent
        # Delivered before: refused, or taken effect.
        recorded = self._gathered.recorded.get((command.player_id, command.id))
        if (settled := self._mail.settled_before(letter, recorded=recorded is not None)) is not None:
            return settled
        if recorded is not None:
            return LetterSettled(None) if locked is None else first_answer(command, recorded, locked.player)
        # New: there must be a recipient.
        if locked is None:
            return self._mail.refuse(letter, PlayerNotFound.code)
        if not self._mail.is_welcome(letter, self._gathered.now):
            return self._mail.refuse(letter, NOT_ACCEPTED)
        return self._open(command, letter, locked)

    def _open(self, command: Command, letter: SentLetter, locked: LockedPlayer) -> Verdict:
        """Applies the letter's rule. What it raises refuses the letter for good, but for ClassMissing and LeftOver."""
        try:
            args = self._by.rulebook.recorded(letter.kind, orjson.loads(letter.payload))
            receipt = self._apply(replace(command, args=args), locked, next(self._seeds))
        except (ClassMissing, LeftOver) as error:
            return without_frames(error)  # a node of a newer game may deliver it, or this one in a later batch
        except RuleBroken as error:
            rule_failed(self._by.rulebook, command, error)
            return self._mail.refuse(letter, error.code)
        except GameError as error:
            if not isinstance(error, Refused):
                problem = str(error.errors or error.detail)
                log.error("a letter can't take effect", kind=letter.kind, mail=command.id, error=problem)
            return self._mail.refuse(letter, error.code)
        except Exception as error:
            rule_failed(self._by.rulebook, command, error)
            return self._mail.refuse(letter, Internal.code)
        shown = json_of({"args": orjson.Fragment(json_of(args)), "events": receipt.events})
        self._mail.take_in(letter, shown, self._gathered.now)
        return receipt

    def _settle(self, command: Command, locked: LockedPlayer) -> Receipt | Refused:
        """Applies a new command, or records that it is refused. Raises what `_apply` and `refitted` do."""
        if command.rulebook is not None and command.rulebook is not self._by.rulebook:
            command = refitted(command, self._by.rulebook)
        seed = next(self._seeds)
        try:
            return self._apply(command, locked, seed)
        except Refused as refusal:
            if is_final(command, refusal):
                args, outcome = json_of(command.args), json_of(refusal_of(refusal))
                self._enter(command, args, refused_seed(seed), outcome, locked.player.version)
            return without_frames(refusal)

    def _apply(self, command: Command, locked: LockedPlayer, seed: int) -> Receipt:
        """Applies a new command to its player, in memory. Raises GameError, Unpaid, and whatever a rule raises."""
        now = self._gathered.now
        # May it take effect at all?
        if command.letter is None:
            self.window.check(command.id, now)
        command.require_planned_for(locked.player)
        if command.takes:
            self._by.stacks.check(command)
        # Ask the rule.
        outcome = self._ruled(command, locked.player, Moment(now, Dice(seed), self._by.rulebook.game))
        if outcome.grants and command.letter is None:
            self._by.stacks.require_room(command, outcome.grants)
        postings: Sequence[OutboxRow] = ()
        if outcome.letters:
            postings, outcome = self._stamped(command, outcome)
        max_hp = self._by.rulebook.game.max_hp(outcome.player.class_name, outcome.player.level)
        # The ledger row. What can't be JSON, or is too large, raises here, before the command has left a trace.
        answer = outcome_of(outcome.player, max_hp, outcome.events, **changed_data(locked.player, outcome.player))
        token = None
        if command.payment is not None:
            token = answer["payment"] = command.payment.token
        answer_json, args_json = bounded_json_of(answer, "an outcome"), json_of(command.args)
        # Note all of it for `_write`, and for later commands of the same player.
        self._note_scores(command, locked.player, outcome)
        locked.player, locked.changed = outcome.player, True
        self._enter(command, args_json, seed, answer_json, outcome.player.version)
        if postings:
            self._mail.post(postings, now)
        if command.takes or outcome.grants:
            self._by.stacks.record(command, outcome.grants)
        return Receipt(command.id, outcome.player, max_hp, outcome.events, replayed=False, payment=token, at=now)

    def _note_scores(self, command: Command, before: Player, outcome: Outcome) -> None:
        if command.correction is None:
            self._by.scoring.note(self._scores, before, outcome)
        else:
            self._corrected_scores += corrected_scores(outcome.player, command.correction)

    def _enter(self, command: Command, args: str, seed: int, outcome: str, version: int) -> None:
        """Notes the command's ledger row, also for the same command later in the batch."""
        player_id = command.player_id
        row = BatchRow(slot_of(player_id), player_id, command.id, command.action, args, seed, outcome, version)
        self._entries.append(row)
        if command.trace is not None and seed >= 0:
            self._traced.append((player_id, version, command.trace.context.dump()))
        self._gathered.recorded[player_id, command.id] = Recorded(command.action, args, outcome, version)

    def _ruled(self, command: Command, player: Player, moment: Moment) -> Outcome:
        if command.correction is not None:
            return command.correction.outcome(player, moment.now)
        return self.time.ruled(self._by.rulebook, command, player, moment)

    def _stamped(self, command: Command, outcome: Outcome) -> tuple[Sequence[OutboxRow], Outcome]:
        """The outbox rows of the outcome's letters, and the outcome with an event for each of them."""
        letters = [(each.kind, each.recipient, bounded_json_of(each.args, "a letter")) for each in outcome.letters]
        postings = self._mail.rows_for(command.player_id, command.id, letters, self._gathered.now)
        events = tuple(
            {
                "type": MAIL_SENT,
                "mail_id": mail_id(posting.player_id, posting.command_id, posting.number),
                "kind": posting.kind.removeprefix(MAIL),
                "to": str(posting.recipient),
            }
            for posting in postings
        )
        return postings, outcome._replace(events=outcome.events + events)

    async def _write(self, connection: asyncpg.Connection) -> None:
        await self._mail.write(connection)
        if not self._entries:
            return
        now = self._gathered.now
        # Ledger rows and players in one statement; scores and items only if there are any.
        changed = [locked.player for locked in self._gathered.locked.values() if locked.changed]
        states = [
            (slot_of(who.id), who.id, who.class_name, who.level, who.hp, who.exp, who.version, dump(who.data))
            for who in changed
        ]
        players = zip(*states, strict=True) if states else [()] * PLAYER_COLUMNS
        await connection.fetch(SQL["write"], now, *zip(*self._entries, strict=True), *players, self._by.rulebook.number)
        # A correction fits the version that the player had before this batch, so what it scores here comes on top.
        if self._corrected_scores:
            await connection.fetch(SQL["set_score"], now, *zip(*self._corrected_scores, strict=True))
        if self._scores:
            versions = {player.id: player.version for player in changed}
            await connection.fetch(SQL["score"], *self._by.scoring.arguments(self._scores, versions, now))
        if self._by.stacks.changed:
            await self._by.stacks.write(connection, now)
            self._sent_items = self._by.stacks.sent
        if self._traced:
            await connection.fetch(SQL["trace"], now, *zip(*self._traced, strict=True))
