"""What operators do to one player besides corrections and bans: rename, end sessions, send a letter, delete.

Law: each takes effect once per command id and has an entry in the audit log, with figures and ids and no name or text
of the player. A name and a deletion are deduplicated by the player's ledger, a letter by the ledger under its mail id,
the end of sessions by the audit log: one that is repeated ends none that was opened since.
"""

from dataclasses import dataclass
from datetime import datetime

import orjson

from gameserver.commands import foresight, identity, play
from gameserver.commands.accounts import Accounts
from gameserver.commands.commit import after_commit
from gameserver.commands.corrections import ChangedBy
from gameserver.commands.devices import ANY_EPOCH
from gameserver.commands.foresight import Foreseen
from gameserver.commands.live import LivePlayers
from gameserver.commands.mail import shown
from gameserver.commands.player_page import PlayerPages
from gameserver.rules.arguments import Arguments
from gameserver.rules.errors import (
    BadInput,
    CommandMismatch,
    FieldProblem,
    PlayerNotFound,
    Refused,
    SessionsUnavailable,
    UnknownItem,
)
from gameserver.rules.items import Items
from gameserver.rules.messages import MESSAGE
from gameserver.rules.rulebook import MAIL
from gameserver.storage.ids import THE_SERVER
from gameserver.storage.ledger.past import PastRow
from gameserver.storage.mail.inbox import Mail
from gameserver.storage.mail.mailbag import LetterSettled, SentLetter, letter_of_server
from gameserver.storage.operators.audit import AuditedChange
from gameserver.storage.players.command import Command, Receipt


@dataclass(frozen=True, slots=True)
class PlayerChanges:
    """One per node."""

    pages: PlayerPages
    accounts: Accounts
    live: LivePlayers


@dataclass(frozen=True, slots=True)
class Gift:
    """What an operator writes to a player, and what comes with it."""

    text: str
    items: Items


def letter_with(gift: Gift, player_id: int, command_id: str, at: datetime) -> SentLetter:
    """A letter of the operators, under a mail id that follows from the command id."""
    args = {"text": gift.text, "items": dict(sorted(gift.items))}
    return letter_of_server(player_id, command_id, MAIL + MESSAGE, args, at)


async def rename(changes: PlayerChanges, player_id: int, name: str, by: ChangedBy) -> Foreseen:
    """Raises BadInput, NameTaken, PlayerNotFound, PlayerChanged, TooManyChanges and what is unavailable."""
    before = {"version": (await play.read(changes.pages.play, player_id)).version}
    entry = AuditedChange(by.admin, "rename", str(player_id), by.reason, {}, by.command_id, before)
    async with changes.pages.audit.recorded(entry) as end:
        receipt = await identity.rename_for(changes.accounts, player_id, name, by.command_id, by.expected_version)
        end.after = {"version": receipt.player.version, "replayed": receipt.replayed}
    named = {"name": (receipt.events[0]["from"], receipt.player.name)}
    return Foreseen(receipt.player, named, command_id=by.command_id, replayed=receipt.replayed)


async def delete(changes: PlayerChanges, player_id: int, by: ChangedBy) -> Foreseen:
    """Deletes a player, as it could itself; what it wrote to others stays.

    Raises PlayerNotFound, also for one that was deleted by something else, TooManyChanges, CommandMismatch,
    CommandExpired and what is unavailable.
    """
    player = await changes.pages.play.players.find(player_id)
    before = {
        "exists": player is not None,
        "version": None if player is None else player.version,
        "level": None if player is None else player.level,
        "exp": None if player is None else player.exp,
    }
    entry = AuditedChange(by.admin, "delete", str(player_id), by.reason, {}, by.command_id, before)
    async with changes.pages.audit.recorded(entry) as end:
        ended = await identity.end(changes.accounts, player_id, by.command_id)
        if ended is None:
            raise PlayerNotFound("There is no such player.")
        end.after = {**dict.fromkeys(before), "exists": False, "replayed": ended.replayed}
    gone = {"name": (ended.player.name, None)} if ended.player.name else {}
    return Foreseen(ended.player, gone, command_id=by.command_id, replayed=ended.replayed)


async def end_sessions(changes: PlayerChanges, player_id: int, listed_id: str | None, by: ChangedBy) -> Foreseen:
    """Ends all sessions of a player, or one, on every node within a second.

    Raises PlayerNotFound, SessionNotFound, CommandMismatch, SessionsUnavailable, DatabaseUnavailable, OutcomeUnknown.
    """
    player = await play.read(changes.pages.play, player_id)
    action = "end_sessions" if listed_id is None else "end_session"
    details = {} if listed_id is None else {"session": listed_id}
    count = await _open_sessions(changes, player_id)
    before = {"version": player.version, "sessions": count}
    entry = AuditedChange(by.admin, action, str(player_id), by.reason, details, by.command_id, before)
    async with changes.pages.audit.once(entry) as end:
        if end.replayed:
            return Foreseen(player, command_id=by.command_id, replayed=True)
        if listed_id is None:
            await _end_all(changes.accounts, player_id)
            end.after = before | {"sessions": 0}
        else:
            await changes.accounts.sessions.end_listed(player_id, listed_id)
            end.after = before | {"sessions": None if count is None else count - 1}
    return Foreseen(player, command_id=by.command_id)


async def send(changes: PlayerChanges, player_id: int, gift: Gift, by: ChangedBy) -> Foreseen:
    """Sends a player a letter, with items. It has arrived when this returns.

    Raises PlayerNotFound, CommandMismatch, CommandExpired, Refused, Overloaded, DatabaseUnavailable, OutcomeUnknown.
    """
    player = await play.read(changes.pages.play, player_id)
    letter = letter_with(gift, player_id, by.command_id, changes.live.now())
    if (earlier := await _arrived(changes, letter)) is not None:
        _require_same(letter, earlier.args)
        return Foreseen(player, items=dict(gift.items), command_id=by.command_id, replayed=True)
    changes.accounts.policy.window.check(by.command_id, changes.live.now())
    details, before = {"mail": letter.mail_id, "items": dict(gift.items)}, {"version": player.version}
    entry = AuditedChange(by.admin, "mail", str(player_id), by.reason, details, by.command_id, before)
    foreseen = await foresight.sending(changes.pages, player_id, gift.items) if gift.items else Foreseen(player)
    async with changes.pages.audit.recorded(entry) as end:
        receipt = await _deliver(changes, letter)
        end.after = {"version": receipt.player.version, "replayed": receipt.replayed}
    if not receipt.replayed:
        await _push(changes, letter, receipt)
    elif (row := await _arrived(changes, letter)) is not None:
        _require_same(
            letter, row.args
        )  # another copy of the request was faster, and pushes the letter with its own time
    left = () if receipt.replayed else foreseen.left
    return Foreseen(
        receipt.player, items=dict(gift.items), left=left, command_id=by.command_id, replayed=receipt.replayed
    )


def require_items(changes: PlayerChanges, gift: Gift) -> None:
    """Raises UnknownItem, naming the field; BadInput if the game has no rule for letters of operators."""
    game = changes.pages.play.rulebook.game
    if MESSAGE not in game.mail:
        raise BadInput(f"This game has no letters of operators: [mail] of game.toml has no {MESSAGE!r}.")
    if unknown := [item for item, _ in gift.items if item not in game.items]:
        names = ", ".join(game.items)
        raise UnknownItem(errors=[FieldProblem(f"items.{item}", f"must be one of: {names}") for item in unknown])


async def _open_sessions(changes: PlayerChanges, player_id: int) -> int | None:
    """None while Redis is away."""
    epoch = await changes.pages.play.players.epoch(player_id)
    try:
        return len(await changes.accounts.sessions.listed(player_id, epoch or 0))
    except SessionsUnavailable:
        return None


async def _end_all(accounts: Accounts, player_id: int) -> None:
    await accounts.room.credentials.raise_session_epoch(player_id)
    with after_commit("The sessions have ended in the database, but some may go on for some seconds: send this again."):
        await accounts.sessions.revoke_all(player_id)


async def _arrived(changes: PlayerChanges, letter: SentLetter) -> PastRow | None:
    """The letter's row in the recipient's ledger."""
    return await changes.pages.pasts.look(letter.recipient, lambda past: past.command(letter.mail_id))


def _require_same(letter: SentLetter, recorded: object) -> None:
    """Raises CommandMismatch if what arrived under the mail id is another letter."""
    if orjson.loads(letter.payload) != recorded:
        raise CommandMismatch("The command id was used before, for another command.")


async def _deliver(changes: PlayerChanges, letter: SentLetter) -> Receipt:
    """A command of the recipient's, as every delivery of a letter is."""
    command = Command(letter.mail_id, letter.recipient, letter.kind, Arguments(), ANY_EPOCH, letter)
    try:
        return await changes.pages.play.players.act(command)
    except LetterSettled as settled:
        if settled.refused is None or settled.refused == PlayerNotFound.code:
            raise PlayerNotFound("There is no such player.") from None
        raise Refused(settled.refused, "The letter was refused for good.") from None


async def _push(changes: PlayerChanges, letter: SentLetter, receipt: Receipt) -> None:
    """To the player's sockets, once Redis can be asked."""
    args = orjson.loads(letter.payload)
    mail = Mail(letter.mail_id, MESSAGE, THE_SERVER, args, receipt.events, letter.at)
    await changes.live.room.mail.send([(letter.recipient, shown(mail))])
