"""Letters that have arrived, newest first; they stay until the player deletes them or they are too old."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import asyncpg
import orjson
from sqlalchemy import delete, select, tuple_

from gameserver.rules.errors import PlayerNotFound
from gameserver.rules.rulebook import MAIL
from gameserver.storage import tables
from gameserver.storage.ids import slot_of
from gameserver.storage.postgres import statements
from gameserver.storage.postgres.database import Database
from gameserver.storage.slots.locked_players import lock_players
from gameserver.storage.slots.pages import Pages
from gameserver.storage.slots.scanned_pages import NEWEST, Scanned
from gameserver.storage.slots.shared_writes import SharedWrites
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


@dataclass(frozen=True, slots=True)
class Forgotten:
    """One letter of a player that a session of `epoch` deletes, or every letter that the player sees."""

    player_id: int
    epoch: int
    mail_id: str | None = None

    @property
    def slot(self) -> int:
        return slot_of(self.player_id)


class Inbox:
    """Reads and deletes letters of players, on whichever database owns their slots; to be closed.

    Every method raises PlayerNotFound, DatabaseUnavailable, Overloaded.
    """

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self._pages: Pages[str | None] = Pages(slots, SQL["page"], lambda page: page)
        self._writes: SharedWrites[Forgotten, None] = SharedWrites(slots, "players", write_forgotten)

    async def page(self, player_id: int, limit: int, before: str | None) -> Scanned[Mail]:
        """At most `limit` letters, newest first; `before` is the cursor of the page before."""
        (page,) = await self._pages.of(player_id, limit + 1, before or NEWEST)
        found = [] if page is None else orjson.loads(page)
        return Scanned([_mail(row) for row in found[:limit]], found[limit - 1]["id"] if len(found) > limit else None)

    async def forget(self, forgotten: Forgotten) -> None:
        """Deletes letters, those of them that are there; that a letter was refused stays recorded.

        Raises SessionRevoked, too.
        """
        if forgotten.slot >= self._slots.size("players"):
            raise PlayerNotFound("There is no such player.")
        await self._writes.write(forgotten)

    async def close(self) -> None:
        await self._writes.close()


async def write_forgotten(connection: asyncpg.Connection, forgotten: Sequence[Forgotten]) -> Sequence[Exception | None]:
    """Deletes what is named, unless its session has ended. Raises driver errors."""
    faults = await lock_players(connection, [(one.player_id, one.epoch) for one in forgotten])
    allowed = [one for one, fault in zip(forgotten, faults, strict=True) if fault is None]
    if allowed:
        rows = [(one.slot, one.player_id, one.mail_id) for one in allowed]
        await connection.execute(SQL["forget"], *zip(*rows, strict=True))
    return faults


async def forget_old(database: Database, before: datetime, most: int) -> int:
    """Deletes letters older than `before`, at most `most`; returns how many. Raises DatabaseUnavailable."""
    owned = select(OWNED.slot).where(OWNED.owned)
    old = select(INBOX.slot, INBOX.player_id, INBOX.mail_id).where(INBOX.at < before, INBOX.slot.in_(owned)).limit(most)
    async with database.fenced("players") as connection:
        key = tuple_(INBOX.slot, INBOX.player_id, INBOX.mail_id)
        return (await connection.execute(delete(tables.inbox).where(key.in_(old)))).rowcount


def _mail(row: Mapping[str, Any]) -> Mail:
    kind, payload, sent_at = row["kind"].removeprefix(MAIL), row["payload"], datetime.fromisoformat(row["sent_at"])
    return Mail(row["id"], kind, row["sender"], payload["args"], payload["events"], sent_at)
