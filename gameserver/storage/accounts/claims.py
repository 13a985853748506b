"""Claims: the unique keys of players (a name, a device), each in the database that a hash of it points to.

Law: a confirmed claim is a key of its player, for certain (or a name that a deleted player has left blocked). One that
isn't confirmed is open: it blocks everybody else all the same, and is settled by asking the players' database
(`identities.judge`). Whatever may make a confirmed claim wrong writes the doubt down first: a sign-up reserves before
it inserts its player, and a rename or deletion reserves the new key and opens the present ones anew before it commits.
So whoever is killed anywhere leaves open claims, and the sweeper finds them by their deadlines.

Every reservation and every doubt gives the claim a deadline that it never had, which makes it one of its kind: to
confirm or release names the deadline that was seen, and changes nothing if somebody has relied on the claim, or has
doubted it, since. So a node that froze between asking and writing undoes nothing when it wakes.
"""

import contextlib
import functools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Self, TypeVar

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from gameserver.rules.errors import DatabaseUnavailable
from gameserver.storage import tables
from gameserver.storage.ids import slot_of_key
from gameserver.storage.slots.slot_map import Slots

T = TypeVar("T")
CLAIMS = tables.claims
OWNED = tables.accounts_owned_slots
OPEN_FOR = timedelta(seconds=30)
"""Far longer than a sign-up or a rename takes."""
TRIES = 5


class KeyKind(StrEnum):
    NAME = "name"
    DEVICE = "device"


@dataclass(frozen=True, slots=True)
class Key:
    """What is claimed; `text` at most 128 characters."""

    kind: KeyKind
    text: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.text}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The key that is written so."""
        kind, _, rest = text.partition(":")
        return cls(KeyKind(kind), rest)


@dataclass(frozen=True, slots=True)
class Claim:
    key: Key
    player_id: int
    command_id: str
    confirmed: bool
    deadline: datetime
    overdue: bool
    """Whether it is open past its deadline."""


class Claims:
    def __init__(self, slots: Slots) -> None:
        self._slots = slots

    async def find(self, key: Key) -> Claim | None:
        """Who holds a key, reserved or confirmed. Raises DatabaseUnavailable."""
        work = functools.partial(_find, which=self._is(key))
        return await self._slots.routed("accounts", self._slot(key), work, reads=True)

    async def reserve(self, key: Key, player_id: int, command_id: str) -> Claim:
        """Opens a claim for a sign-up if the key is free, or anew if the sign-up has reserved it before.

        Whoever holds it now. Raises DatabaseUnavailable.
        """
        again = (CLAIMS.c.player_id == player_id) & (CLAIMS.c.command_id == command_id) & ~CLAIMS.c.confirmed
        return await self._open(key, player_id, command_id, again)

    async def retake(self, key: Key, player_id: int, command_id: str) -> Claim:
        """Opens a claim for a player who is known to be there if the key is free, or anew if it is his already.

        Whoever holds it now. Raises DatabaseUnavailable.
        """
        return await self._open(key, player_id, command_id, CLAIMS.c.player_id == player_id)

    async def doubt(self, key: Key, player_id: int) -> Claim | None:
        """Opens a player's own claim anew before he may lose it; None if he has none. Raises DatabaseUnavailable."""
        opened = update(CLAIMS).values(confirmed=False, deadline=_another_deadline())
        mine = self._is(key) & (CLAIMS.c.player_id == player_id)

        async def write(connection: AsyncConnection) -> Claim | None:
            await connection.execute(opened.where(mine))
            claim = await _find(connection, self._is(key))
            return claim if claim is not None and claim.player_id == player_id else None

        return await self._owned(key, write)

    async def confirm(self, claim: Claim) -> None:
        """Settles an open claim as its player's, unless it isn't as it was seen. Raises DatabaseUnavailable."""
        await self._settle(claim, update(CLAIMS).values(confirmed=True))

    async def release(self, claim: Claim) -> None:
        """Frees an open claim's key, unless the claim isn't as it was seen. Raises DatabaseUnavailable."""
        await self._settle(claim, delete(CLAIMS))

    async def overdue(self, limit: int) -> Sequence[Claim]:
        """Open claims past their deadlines, at most `limit` of each database that answers, of the slots it owns."""
        found: list[Claim] = []
        here = CLAIMS.c.slot.in_(select(OWNED.c.slot).where(OWNED.c.owned))
        for database in self._slots.databases("accounts"):
            overdue = _selected().where(~CLAIMS.c.confirmed, CLAIMS.c.deadline < func.now(), here)
            with contextlib.suppress(DatabaseUnavailable):
                async with database.snapshot() as connection:
                    rows = await connection.execute(overdue.order_by(CLAIMS.c.deadline).limit(limit))
                    found += [_claim(row) for row in rows.mappings()]
        return found

    async def _open(self, key: Key, player_id: int, command_id: str, anew: ColumnElement[bool]) -> Claim:
        """Inserts an open claim, or opens the one that is there anew if it is as `anew` says."""
        values = {
            "slot": self._slot(key),
            "kind": key.kind,
            "key": key.text,
            "player_id": player_id,
            "command_id": command_id,
            "confirmed": False,
            "deadline": func.clock_timestamp() + OPEN_FOR,
        }
        opened = {"command_id": command_id, "confirmed": False, "deadline": _another_deadline()}

        async def write(connection: AsyncConnection) -> Claim | None:
            inserted = upsert(CLAIMS).values(values)
            await connection.execute(inserted.on_conflict_do_update(CLAIMS.primary_key, set_=opened, where=anew))
            return await _find(connection, self._is(key))

        for _ in range(TRIES):  # who held it may let go between the two statements
            if (claim := await self._owned(key, write)) is not None:
                return claim
        raise DatabaseUnavailable("The claim changes hands: try again.", retry_after=1)

    async def _settle(self, claim: Claim, statement: Any) -> None:
        as_seen = (
            self._is(claim.key)
            & (CLAIMS.c.command_id == claim.command_id)
            & (CLAIMS.c.player_id == claim.player_id)
            & (CLAIMS.c.deadline == claim.deadline)
            & ~CLAIMS.c.confirmed
        )
        await self._owned(claim.key, lambda connection: connection.execute(statement.where(as_seen)))

    async def _owned(self, key: Key, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Runs `work` in a fenced transaction on the database that owns the key's slot."""
        return await self._slots.routed("accounts", self._slot(key), work)

    def _is(self, key: Key) -> ColumnElement[bool]:
        return (CLAIMS.c.slot == self._slot(key)) & (CLAIMS.c.kind == key.kind) & (CLAIMS.c.key == key.text)

    def _slot(self, key: Key) -> int:
        return slot_of_key(key.kind, key.text, self._slots.size("accounts"))


def _selected() -> Any:
    return select(CLAIMS, (~CLAIMS.c.confirmed & (CLAIMS.c.deadline < func.now())).label("overdue"))


def _another_deadline() -> Any:
    """One that the claim has never had, whatever the clock says."""
    return func.greatest(func.clock_timestamp() + OPEN_FOR, CLAIMS.c.deadline + timedelta(microseconds=1))


async def _find(connection: AsyncConnection, which: ColumnElement[bool]) -> Claim | None:
    row = (await connection.execute(_selected().where(which))).mappings().first()
    return None if row is None else _claim(row)


def _claim(row: Any) -> Claim:
    key = Key(KeyKind(row["kind"]), row["key"])
    return Claim(key, row["player_id"], row["command_id"], row["confirmed"], row["deadline"], row["overdue"])
