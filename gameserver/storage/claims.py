"""Claims: the unique keys of players (a name, a device), each in the database that a hash of it points to.

Law: a claim belongs to the sign-up whose command id it carries, and to nobody else until that is resolved. A sign-up
reserves its claims, inserts the player (the commit point), confirms the claims. A reservation past its deadline is
resolved by asking the players' database under the same id, in a way after which a sign-up that was frozen in
between can't wake up and make a second holder (`Players.make_void`).
"""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from gameserver.rules.errors import DatabaseUnavailable
from gameserver.storage import schema
from gameserver.storage.ids import slot_of_key
from gameserver.storage.slots import Slots

CLAIMS = schema.claims
OWNED = schema.accounts_owned_slots
RESERVED_FOR = timedelta(seconds=30)
"""Far longer than any sign-up's deadline."""
TRIES = 5


class Kind(StrEnum):
    NAME = "name"
    DEVICE = "device"


@dataclass(frozen=True, slots=True)
class Key:
    """What is claimed; `text` at most 128 characters."""

    kind: Kind
    text: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.text}"


@dataclass(frozen=True, slots=True)
class Claim:
    key: Key
    player_id: int
    command_id: str
    confirmed: bool
    overdue: bool
    """Whether it is a reservation past its deadline."""


class Claims:
    def __init__(self, slots: Slots) -> None:
        self._slots = slots

    async def find(self, key: Key) -> Claim | None:
        """Who holds a key, reserved or confirmed. Raises DatabaseUnavailable."""
        slot = self._slot(key)
        return await self._slots.routed("accounts", slot, lambda own: _find(own, key, slot), reads=True)

    async def reserve(self, key: Key, player_id: int, command_id: str) -> Claim:
        """Reserves a key if it is free; whoever holds it now. Raises DatabaseUnavailable."""
        values = {
            "slot": self._slot(key),
            "kind": key.kind,
            "key": key.text,
            "player_id": player_id,
            "command_id": command_id,
            "confirmed": False,
            "deadline": func.now() + RESERVED_FOR,
        }

        async def write(connection: AsyncConnection) -> Claim | None:
            await connection.execute(upsert(CLAIMS).values(values).on_conflict_do_nothing())
            return await _find(connection, key, self._slot(key))

        for _ in range(TRIES):  # who held it may let go between the two statements
            if (claim := await self._slots.routed("accounts", self._slot(key), write)) is not None:
                return claim
        raise DatabaseUnavailable("The claim changes hands: try again.", retry_after=1)

    async def confirm(self, key: Key, player_id: int, command_id: str) -> None:
        await self._settle(key, update(CLAIMS).values(confirmed=True), player_id, command_id)

    async def release(self, key: Key, player_id: int, command_id: str) -> None:
        """Frees a key that this command has reserved for this player and not confirmed."""
        await self._settle(key, delete(CLAIMS), player_id, command_id)

    async def overdue(self, limit: int) -> Sequence[Claim]:
        """Reservations past their deadlines, at most `limit` of each database that answers."""
        found: list[Claim] = []
        for database in self._slots.databases("accounts"):
            mine = CLAIMS.c.slot.in_(select(OWNED.c.slot).where(OWNED.c.owned))
            overdue = _selected().where(~CLAIMS.c.confirmed, CLAIMS.c.deadline < func.now(), mine)
            with contextlib.suppress(DatabaseUnavailable):
                async with database.snapshot() as connection:
                    rows = await connection.execute(overdue.order_by(CLAIMS.c.deadline).limit(limit))
                    found += [_claim(row) for row in rows.mappings()]
        return found

    async def _settle(self, key: Key, statement: Any, player_id: int, command_id: str) -> None:
        mine = (
            (CLAIMS.c.slot == self._slot(key))
            & (CLAIMS.c.kind == key.kind)
            & (CLAIMS.c.key == key.text)
            & (CLAIMS.c.command_id == command_id)
            & (CLAIMS.c.player_id == player_id)
            & ~CLAIMS.c.confirmed
        )
        await self._slots.routed("accounts", self._slot(key), lambda own: own.execute(statement.where(mine)))

    def _slot(self, key: Key) -> int:
        return slot_of_key(key.kind, key.text, self._slots.size("accounts"))


def _selected() -> Any:
    return select(CLAIMS, (~CLAIMS.c.confirmed & (CLAIMS.c.deadline < func.now())).label("overdue"))


async def _find(connection: AsyncConnection, key: Key, slot: int) -> Claim | None:
    chosen = _selected().where(CLAIMS.c.slot == slot, CLAIMS.c.kind == key.kind, CLAIMS.c.key == key.text)
    row = (await connection.execute(chosen)).mappings().first()
    return None if row is None else _claim(row)


def _claim(row: Any) -> Claim:
    key = Key(Kind(row["kind"]), row["key"])
    return Claim(key, row["player_id"], row["command_id"], row["confirmed"], row["overdue"])
