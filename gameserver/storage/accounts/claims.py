"""Claims: the unique keys of players (a name, a device), each in the database that a hash of the key points to.

Law: a confirmed claim certainly is its player's (or is the name of a deleted player that stays blocked). An
unconfirmed claim is open: it keeps everyone else out all the same, and is resolved by asking the players' database
(`Identities.resolve`). Whatever may make a confirmed claim wrong must mark it unconfirmed first: a sign-up reserves
its keys before it inserts its player; a rename or deletion reserves the new key and reopens the present ones before it
commits. So whatever is killed at any step leaves open claims, and the sweeper finds them by their deadlines.

Every write sets a later deadline, which serves as a version: `confirm` and `release` are a compare-and-set on the one
that was read, and change nothing if the claim has been reserved or reopened since. So a node that stalled between
asking and writing undoes nothing when it wakes.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import chain
from typing import Any, NamedTuple, Self, TypeVar

import asyncpg
from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from gameserver.rules.errors import DatabaseUnavailable, Unavailable
from gameserver.storage import tables
from gameserver.storage.accounts.claim_writes import (
    OPEN_FOR,
    ClaimRow,
    ClaimWrite,
    Confirmation,
    Opening,
    write_claims,
)
from gameserver.storage.ids import slot_of, slot_of_key
from gameserver.storage.postgres import statements
from gameserver.storage.postgres.database import Database
from gameserver.storage.slots.shared_reads import SharedReads
from gameserver.storage.slots.shared_writes import SharedWrites
from gameserver.storage.slots.slot_map import SlotMoved, Slots

T = TypeVar("T")
CLAIMS = tables.claims
OWNED = tables.accounts_owned_slots
SQL = statements.load(__package__, "look_ups.sql")
RETRIES = 5


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
        """Parses `kind:text`, as `str` writes it."""
        kind, _, rest = text.partition(":")
        return cls(KeyKind(kind), rest)


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim as it was read; `deadline` is its version."""

    key: Key
    player_id: int
    command_id: str
    confirmed: bool
    deadline: datetime
    overdue: bool
    """Whether it is open and its deadline has passed."""


class _Wanted(NamedTuple):
    slot: int
    kind: str
    key: str


class Claims:
    """Reads and writes claims on the databases that own their keys' slots."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self._reads: SharedReads[_Wanted, Claim | None] = SharedReads(slots, "accounts", _read)
        self._writes: SharedWrites[ClaimWrite, ClaimRow | None] = SharedWrites(slots, "accounts", write_claims)

    async def find(self, key: Key) -> Claim | None:
        """The claim on a key, open or confirmed. Raises DatabaseUnavailable, Overloaded."""
        return await self._reads.ask(_Wanted(self._slot(key), key.kind, key.text))

    async def reserve(self, keys: Sequence[Key], player_id: int, command_id: str) -> list[Claim]:
        """Opens claims for a sign-up on the keys that are free, and reopens those that it has reserved before.

        Returns each as it is now, whoever holds it. Raises DatabaseUnavailable, Overloaded: some may be open then.
        """
        wanted = [Opening(self._slot(key), key.kind, key.text, player_id, command_id) for key in keys]
        for _ in range(RETRIES):  # a claim may be released between the two statements
            rows = await self._writes.write_all(wanted)
            if None not in rows:
                return [_claim(row) for row in rows if row is not None]
        raise DatabaseUnavailable("The claim changes hands: try again.", retry_after=1)

    async def retake(self, key: Key, player_id: int, command_id: str) -> Claim:
        """Opens a claim for a player that is known to exist if the key is free, or reopens the player's own.

        Returns the claim as it is now, whoever holds it. Raises DatabaseUnavailable.
        """
        return await self._open(key, player_id, command_id)

    async def doubt(self, key: Key, player_id: int) -> Claim | None:
        """Reopens a player's claim before the player may lose it; None if it has none. Raises DatabaseUnavailable."""
        reopen = update(CLAIMS).values(confirmed=False, deadline=_later_deadline())
        its_claim = self._is(key) & (CLAIMS.c.player_id == player_id)

        async def write(connection: AsyncConnection) -> Claim | None:
            await connection.execute(reopen.where(its_claim))
            claim = await _find(connection, self._is(key))
            return claim if claim is not None and claim.player_id == player_id else None

        return await self._owned(key, write)

    async def confirm(self, claim: Claim) -> None:
        """Confirms an open claim if it hasn't changed since it was read. Raises DatabaseUnavailable, Overloaded."""
        await self._writes.write(self._confirmation(claim))

    def confirm_soon(self, claims: Iterable[Claim]) -> None:
        """The same, behind the caller's back; what can't be confirmed is left to the sweeper."""
        for claim in claims:
            self._writes.begin(self._confirmation(claim))

    async def release(self, claim: Claim) -> None:
        """Frees an open claim's key if the claim hasn't changed since it was read. Raises DatabaseUnavailable."""
        await self._compare_and_set(claim, delete(CLAIMS))

    async def overdue(self, limit: int) -> Sequence[Claim]:
        """Open claims past their deadlines, at most `limit` of each database that answers, of the slots it owns."""
        is_owned = CLAIMS.c.slot.in_(select(OWNED.c.slot).where(OWNED.c.owned))
        overdue = _selected().where(~CLAIMS.c.confirmed, CLAIMS.c.deadline < func.now(), is_owned)
        oldest = overdue.order_by(CLAIMS.c.deadline).limit(limit)

        async def ask(database: Database) -> list[Claim]:
            with contextlib.suppress(Unavailable):
                async with database.snapshot() as connection:
                    return [_claim(row) for row in (await connection.execute(oldest)).mappings()]
            return []

        return list(chain(*await asyncio.gather(*map(ask, self._slots.databases("accounts")))))

    def databases_of(self, claim: Claim) -> tuple[str, str]:
        """The names of the databases that own the claim and its player."""
        player = self._slots.owner("players", slot_of(claim.player_id))
        return self._slots.owner("accounts", self._slot(claim.key)).name, player.name

    def database_of(self, key: Key) -> str:
        """The name of the database that owns the key's claim, if there is one."""
        return self._slots.owner("accounts", self._slot(key)).name

    async def close(self) -> None:
        await self._writes.close()
        await self._reads.close()

    async def _open(self, key: Key, player_id: int, command_id: str) -> Claim:
        """Inserts an open claim; or reopens the present one if it is the player's."""
        values = {
            "slot": self._slot(key),
            "kind": key.kind,
            "key": key.text,
            "player_id": player_id,
            "command_id": command_id,
            "confirmed": False,
            "deadline": func.clock_timestamp() + OPEN_FOR,
        }
        reopened = {"command_id": command_id, "confirmed": False, "deadline": _later_deadline()}

        async def write(connection: AsyncConnection) -> Claim | None:
            inserted = upsert(CLAIMS).values(values)
            upserted = inserted.on_conflict_do_update(
                CLAIMS.primary_key, set_=reopened, where=CLAIMS.c.player_id == player_id
            )
            await connection.execute(upserted)
            return await _find(connection, self._is(key))

        for _ in range(RETRIES):  # the claim may be released between the two statements
            if (claim := await self._owned(key, write)) is not None:
                return claim
        raise DatabaseUnavailable("The claim changes hands: try again.", retry_after=1)

    async def _compare_and_set(self, claim: Claim, statement: Any) -> None:
        unchanged = (
            self._is(claim.key)
            & (CLAIMS.c.command_id == claim.command_id)
            & (CLAIMS.c.player_id == claim.player_id)
            & (CLAIMS.c.deadline == claim.deadline)
            & ~CLAIMS.c.confirmed
        )
        await self._owned(claim.key, lambda connection: connection.execute(statement.where(unchanged)))

    async def _owned(self, key: Key, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Runs `work` in a fenced transaction on the database that owns the key's slot."""
        return await self._slots.routed("accounts", self._slot(key), work)

    def _confirmation(self, claim: Claim) -> Confirmation:
        key = claim.key
        return Confirmation(self._slot(key), key.kind, key.text, claim.player_id, claim.command_id, claim.deadline)

    def _is(self, key: Key) -> ColumnElement[bool]:
        return (CLAIMS.c.slot == self._slot(key)) & (CLAIMS.c.kind == key.kind) & (CLAIMS.c.key == key.text)

    def _slot(self, key: Key) -> int:
        return slot_of_key(key.kind, key.text, self._slots.size("accounts"))


def _selected() -> Any:
    return select(CLAIMS, (~CLAIMS.c.confirmed & (CLAIMS.c.deadline < func.now())).label("overdue"))


def _later_deadline() -> Any:
    """Later than the claim's present one, whatever the clock says."""
    return func.greatest(func.clock_timestamp() + OPEN_FOR, CLAIMS.c.deadline + timedelta(microseconds=1))


async def _read(connection: asyncpg.Connection, wanted: Sequence[_Wanted]) -> Sequence[Claim | SlotMoved | None]:
    """The claims on many keys."""
    rows = await connection.fetch(SQL["claims"], *zip(*dict.fromkeys(wanted), strict=True))
    replies = {(row["kind"], row["key"]): _reply(row) for row in rows}
    return [replies[key.kind, key.key] for key in wanted]


def _reply(row: asyncpg.Record) -> Claim | SlotMoved | None:
    if not row["owned"]:
        return SlotMoved()
    return None if row["player_id"] is None else _claim(row)


async def _find(connection: AsyncConnection, which: ColumnElement[bool]) -> Claim | None:
    row = (await connection.execute(_selected().where(which))).mappings().first()
    return None if row is None else _claim(row)


def _claim(row: Any) -> Claim:
    key = Key(KeyKind(row["kind"]), row["key"])
    return Claim(key, row["player_id"], row["command_id"], row["confirmed"], row["deadline"], row["overdue"])
