"""Letters that have arrived, newest first; they stay until the player deletes them or they are too old."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import delete, select, tuple_

from gameserver.rules.rulebook import MAIL
from gameserver.storage import tables
from gameserver.storage.ids import slot_of
from gameserver.storage.postgres import statements
from gameserver.storage.postgres.database import Database
from gameserver.storage.slots.owner import on_owner
from gameserver.storage.slots.scanned_pages import Scanned, ScannedPages
from gameserver.storage.slots.slot_map import Slots

SQL = statements.load(__package__, "inbox.sql")
INBOX = tables.inbox.c
OWNED = tables.players_owned_slots.c


class Mail(NamedTuple):
    """A letter that took effect: its arguments, the events it caused, and when it was sent."""

    mail_id: str
    kind: str
    sender: int
    args: dict[str, Any]
    events: Sequence[dict[str, Any]]
    at: datetime


class Inbox:
    """Reads and deletes letters of players, on whichever database owns their slots.

    Every method raises PlayerNotFound, DatabaseUnavailable.
    """

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self._pages = ScannedPages(slots, SQL["page"], _mail)

    async def page(self, player_id: int, limit: int, before: str | None) -> Scanned[Mail]:
        """At most `limit` letters, newest first; `before` is the cursor of the page before."""
        return await self._pages.of(player_id, limit, before)

    async def forget(self, player_id: int, mail_id: str) -> None:
        """Deletes one letter, if it is there."""
        statement = delete(tables.inbox).where(_of(player_id), INBOX.mail_id == mail_id)
        await on_owner(self._slots, player_id, lambda connection: connection.execute(statement))

    async def forget_every(self, player_id: int) -> None:
        """Deletes every letter that the player sees; that a letter was refused stays recorded."""
        statement = delete(tables.inbox).where(_of(player_id))
        await on_owner(self._slots, player_id, lambda connection: connection.execute(statement))


async def forget_old(database: Database, before: datetime, most: int) -> int:
    """Deletes letters older than `before`, at most `most`; returns how many. Raises DatabaseUnavailable."""
    owned = select(OWNED.slot).where(OWNED.owned)
    old = select(INBOX.slot, INBOX.player_id, INBOX.mail_id).where(INBOX.at < before, INBOX.slot.in_(owned)).limit(most)
    async with database.fenced("players") as connection:
        key = tuple_(INBOX.slot, INBOX.player_id, INBOX.mail_id)
        return (await connection.execute(delete(tables.inbox).where(key.in_(old)))).rowcount


def _of(player_id: int) -> Any:
    return (INBOX.slot == slot_of(player_id)) & (INBOX.player_id == player_id) & INBOX.refused.is_(None)


def _mail(row: Mapping[str, Any]) -> Mail:
    kind, payload, sent_at = row["kind"].removeprefix(MAIL), row["payload"], datetime.fromisoformat(row["sent_at"])
    return Mail(row["id"], kind, row["sender"], payload["args"], payload["events"], sent_at)
