"""Acting, reading players, and a player's items and history."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel

from gameserver.code_labels import CODES
from gameserver.commands.turns import Turns
from gameserver.rules.action_table import BY_OPERATORS
from gameserver.rules.arguments import Arguments
from gameserver.rules.editions import RulesInForce
from gameserver.rules.errors import BadInput, FieldProblem, GameError, PlayerNotFound, RuleBroken
from gameserver.rules.items import Items
from gameserver.rules.player import Player
from gameserver.rules.rulebook import Rulebook
from gameserver.storage.ids import is_ledger_id
from gameserver.storage.items.inventory import Stack
from gameserver.storage.ledger.history import History, HistoryEntry
from gameserver.storage.mail.inbox import Inbox
from gameserver.storage.players.command import Command, Receipt
from gameserver.storage.players.players import Players
from gameserver.storage.players.replica_reads import ReplicaReads, Wanted
from gameserver.storage.players.rule_log import SLOW_SECONDS, rule_failed, rule_was_slow
from gameserver.storage.sessions.sessions import Session
from gameserver.storage.social.feeds import Feeds
from gameserver.telemetry import COMMAND_SECONDS, command_ended, request_id

UNKNOWN = "unknown"
"""How a command ends whose request is cancelled, or that fails without an answer."""
UNREAD = Arguments()
"""Until a command's own arguments are read; what reads them is told which command it is about."""


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Ledger rows by command id, newest first; `cursor` continues, None at the end."""

    entries: Sequence[HistoryEntry]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class Play:
    """What acting and reading need; one per node."""

    players: Players
    reads: ReplicaReads
    history: History
    inbox: Inbox
    feeds: Feeds
    rules: RulesInForce
    turns: Turns = field(default_factory=Turns)

    @property
    def rulebook(self) -> Rulebook:
        """The one in force."""
        return self.rules.rulebook


async def act(play: Play, session: Session, action: str, args: object, command_id: str, *, repeatable: bool) -> Receipt:
    """Applies an action to the caller's player, once per command id.

    `repeatable` if the id is the client's: then a refusal is final, too.

    Queued before the first await, so the commands of one socket take effect in the order in which they were sent.
    Raises BadInput, Refused, CommandMismatch, CommandExpired, SessionRevoked and what is unavailable.
    """
    rulebook = play.rulebook
    command = Command(command_id, session.player_id, action, UNREAD, session.epoch, request_id=request_id.get())
    command.args = _arguments(rulebook, command, args)
    command.rulebook = rulebook
    command.repeatable, began = repeatable, time.perf_counter()
    if (tracer := play.players.tracer) is not None:
        command.trace = tracer.command(action, command_id)
    end = counted = UNKNOWN
    try:
        command.takes = _takes(rulebook, command)
        receipt = await play.players.act(command)
        end = counted = "replayed" if receipt.replayed else "done"
    except GameError as error:
        end = error.code
        counted = CODES.learnt(end, action)
        raise
    finally:
        COMMAND_SECONDS.of(action).observe(time.perf_counter() - began)
        command_ended(action, counted).inc()
        if command.trace is not None:
            command.trace.end(end)
    play.feeds.note(receipt, action)
    return receipt


def _arguments(rulebook: Rulebook, command: Command, args: object) -> BaseModel:
    """The command's arguments, which the game's own code may check. Raises BadInput, RuleBroken."""
    try:
        return rulebook.arguments(command.action, args)
    except RuleBroken as error:
        rule_failed(rulebook, command, error)
        raise
    except GameError as error:
        CODES.learnt(error.code, command.action)
        raise


def _takes(rulebook: Rulebook, command: Command) -> Items:
    """What the action takes, which the game's own code may decide. Raises RuleBroken."""
    began = time.perf_counter()
    try:
        return rulebook.takes(command.action, command.args)
    except RuleBroken as error:
        rule_failed(rulebook, command, error)
        raise
    finally:
        if (seconds := time.perf_counter() - began) > SLOW_SECONDS:
            rule_was_slow(rulebook, command, seconds)


async def read(play: Play, player_id: int, wanted: Wanted | None = None) -> Player:
    """One player, as it is now unless `wanted` allows less. Raises PlayerNotFound."""
    find = play.players.find(player_id) if wanted is None else play.reads.find(player_id, wanted)
    player = await find
    if player is None:
        raise PlayerNotFound("There is no such player.")
    return player


async def items(play: Play, session: Session) -> list[Stack]:
    """What the caller owns, by its acknowledged actions. Raises RateLimited, DatabaseUnavailable."""
    async with play.turns.read(session.player_id, "items"):
        return await play.players.items(session.player_id)


async def read_many(play: Play, ids: Sequence[int], wanted: Wanted) -> list[Player]:
    """The players that exist, in the order of `ids`."""
    return list((await play.reads.read(ids, wanted)).values())


async def history(play: Play, session: Session, limit: int, cursor: str | None) -> HistoryPage:
    """A page of the caller's ledger. Raises BadInput for a malformed cursor, RateLimited, DatabaseUnavailable."""
    if cursor is not None and not is_ledger_id(cursor):
        raise BadInput("The cursor can't be used.", errors=[FieldProblem("cursor", "isn't a cursor of the ledger")])
    async with play.turns.read(session.player_id, "ledger"):
        page = await play.history.page(session.player_id, limit, cursor)
    return HistoryPage([_shown(entry) for entry in page.rows], page.cursor)


def _shown(entry: HistoryEntry) -> HistoryEntry:
    """As its player may see it: why an operator did something is internal."""
    return entry._replace(args={}) if entry.action in BY_OPERATORS else entry
