"""Who wants to sign in, as the players' databases have it: the player and its credentials, at one moment.

Law: a device is taken away, a password is changed and a player is banned together with a raised session epoch. So a
session of the epoch that stands beside a credential ends with the credential.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import asyncpg

from gameserver.rules.errors import Banned
from gameserver.rules.player import Player
from gameserver.storage.accounts.claims import Key
from gameserver.storage.ids import sign_up_ids, slot_of
from gameserver.storage.postgres import statements
from gameserver.storage.slots.shared_reads import SharedReads
from gameserver.storage.slots.slot_map import SlotMoved, Slots
from gameserver.storage.tables import player_of
from gameserver.times import rfc3339

SQL = statements.load(__package__, "look_ups.sql")


class Entrant(NamedTuple):
    """A player that exists; `has_device` is whether the device that was asked about is its own."""

    player: Player
    session_epoch: int
    banned: bool
    password_hash: str | None
    has_device: bool
    banned_until: datetime | None = None
    ban_said: str = ""

    def require_not_banned(self) -> None:
        """Raises Banned, with its end, if it has one, and what the player is told."""
        if not self.banned:
            return
        until = {} if self.banned_until is None else {"until": rfc3339(self.banned_until)}
        said = {"reason": self.ban_said} if self.ban_said else {}
        when = f" until {until['until']}" if until else ""
        raise Banned(f"This player is banned{when}.", extra=until | said)


class _Question(NamedTuple):
    slot: int
    player_id: int
    device: str
    low: str
    high: str


class Entrants:
    """One per node; to be closed."""

    def __init__(self, slots: Slots) -> None:
        self._reads: SharedReads[_Question, Entrant | None] = SharedReads(slots, "players", _read)

    async def find(self, player_id: int, device: Key | None = None) -> Entrant | None:
        """The player, if it exists. Raises DatabaseUnavailable, Overloaded."""
        key = "" if device is None else device.text
        return await self._reads.ask(_Question(slot_of(player_id), player_id, key, *sign_up_ids(player_id)))

    async def close(self) -> None:
        await self._reads.close()


async def _read(connection: asyncpg.Connection, questions: Sequence[_Question]) -> Sequence[Entrant | SlotMoved | None]:
    rows = await connection.fetch(SQL["entrants"], *zip(*dict.fromkeys(questions), strict=True))
    replies = {(row["wanted_id"], row["device"]): _entrant(row) for row in rows}
    return [replies[question.player_id, question.device] for question in questions]


def _entrant(row: asyncpg.Record) -> Entrant | SlotMoved | None:
    if not row["owned"]:
        return SlotMoved()
    if row["id"] is None:
        return None
    fields = (row[name] for name in ("session_epoch", "banned", "password_hash", "has_device", "until", "said"))
    return Entrant(player_of(row), *fields)
