"""Acting, reading players, and a player's history."""

from collections.abc import Sequence
from dataclasses import dataclass

from gameserver.commands.backend import Backend
from gameserver.rules.errors import BadInput, FieldProblem, GameError, PlayerNotFound
from gameserver.rules.player import Player
from gameserver.storage.ids import is_command_id, is_ledger_id, new_command_id
from gameserver.storage.items.inventory import Stack
from gameserver.storage.ledger.history import Entry
from gameserver.storage.players.command import Command, Receipt
from gameserver.storage.sessions.sessions import Session
from gameserver.telemetry import command_ended


@dataclass(frozen=True, slots=True)
class History:
    """Ledger rows by command id, newest first; `cursor` continues, None at the end."""

    entries: Sequence[Entry]
    cursor: str | None


def command_id_or_new(backend: Backend, given: str | None, field: str) -> str:
    """The client's command id, checked, or one of our own. Raises BadInput naming `field`."""
    if given is None:
        return new_command_id(int(backend.now().timestamp() * 1000))
    lowered = given.lower()
    if not is_command_id(lowered):
        raise BadInput("The command id isn't a UUIDv7.", errors=[FieldProblem(field, "must be a UUIDv7")])
    return lowered


async def act(backend: Backend, session: Session, action: str, args: object, command_id: str) -> Receipt:
    """Applies an action to the caller's player, once per command id.

    Queued before the first await, so that the commands of one socket take effect in the order sent.
    Raises RateLimited, BadInput, Refused, CommandMismatch, CommandExpired, SessionRevoked and what is unavailable.
    """
    if backend.pacing is not None:
        backend.pacing.spend(session.player_id)
    model = backend.rulebook.arguments(action, args)
    takes = backend.rulebook.takes(action, model)
    command = Command(command_id, session.player_id, action, model, session.epoch, takes=takes)
    try:
        receipt = await backend.players.act(command)
    except GameError as error:
        command_ended(action, error.code).inc()
        raise
    command_ended(action, "replayed" if receipt.replayed else "done").inc()
    backend.feeds.note(receipt, action)
    return receipt


async def read(backend: Backend, player_id: int) -> Player:
    """Raises PlayerNotFound."""
    found = await backend.players.read([player_id])
    if player_id not in found:
        raise PlayerNotFound("There is no such player.")
    return found[player_id]


async def items(backend: Backend, session: Session) -> list[Stack]:
    """What the caller owns, as far as his acknowledged actions say. Raises DatabaseUnavailable."""
    return await backend.players.items(session.player_id)


async def read_many(backend: Backend, ids: Sequence[int]) -> list[Player]:
    """Those that exist, in the order asked."""
    return list((await backend.players.read(ids)).values())


async def history(backend: Backend, session: Session, limit: int, cursor: str | None) -> History:
    """A page of the caller's ledger. Raises BadInput for a cursor that is none."""
    if cursor is not None and not is_ledger_id(cursor):
        raise BadInput("The cursor can't be used.", errors=[FieldProblem("cursor", "isn't a cursor of the ledger")])
    entries = await backend.players.history(session.player_id, limit + 1, cursor)
    more = len(entries) > limit
    return History(entries[:limit], entries[limit - 1].command_id if more else None)
