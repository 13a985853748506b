"""A player's inbox."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gameserver.commands.play import Play
from gameserver.rules.errors import BadInput, FieldProblem
from gameserver.storage.ids import is_ledger_id
from gameserver.storage.mail.inbox import Forgotten, Mail
from gameserver.storage.sessions.sessions import Session
from gameserver.times import rfc3339


@dataclass(frozen=True, slots=True)
class MailPage:
    """Mails by id, newest first; `cursor` continues, None at the end."""

    mails: Sequence[Mail]
    cursor: str | None


async def inbox(play: Play, session: Session, limit: int, cursor: str | None) -> MailPage:
    """A page of the caller's inbox. Raises BadInput for a malformed cursor, RateLimited, DatabaseUnavailable."""
    require_cursor(cursor)
    async with play.turns.read(session.player_id, "inbox"):
        page = await play.inbox.page(session.player_id, limit, cursor)
    return MailPage(page.rows, page.cursor)


def require_cursor(cursor: str | None) -> None:
    """Raises BadInput for what is no cursor of an inbox."""
    if cursor is not None and not is_ledger_id(cursor):
        raise BadInput("The cursor can't be used.", errors=[FieldProblem("cursor", "isn't a cursor of the inbox")])


async def forget(play: Play, session: Session, mail_id: str) -> None:
    """Deletes one of the caller's mails, if there is one.

    Raises BadInput for a malformed id, TooManyChanges, SessionRevoked, DatabaseUnavailable, Overloaded.
    """
    if not is_ledger_id(mail_id.lower()):
        raise BadInput("This isn't a mail id.", errors=[FieldProblem("mail_id", "must be a mail id")])
    async with play.turns.change(session.player_id):
        await play.inbox.forget(Forgotten(session.player_id, session.epoch, mail_id.lower()))


async def forget_every(play: Play, session: Session) -> None:
    """Deletes the caller's whole inbox. Raises TooManyChanges, SessionRevoked, DatabaseUnavailable, Overloaded."""
    async with play.turns.change(session.player_id):
        await play.inbox.forget(Forgotten(session.player_id, session.epoch))


def shown(mail: Mail) -> dict[str, Any]:
    """A mail as its player sees it: ids are strings."""
    return {
        "mail_id": mail.mail_id,
        "kind": mail.kind,
        "sender": str(mail.sender),
        "args": mail.args,
        "events": list(mail.events),
        "at": rfc3339(mail.at),
    }
