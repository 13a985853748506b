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
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import chain
from typing import Any, NamedTuple, Self, TypeVar

import asyncpg
from sqlalchemy import func, select

from gameserver.rules.errors import DatabaseUnavailable, Unavailable
from gameserver.storage import tables
from gameserver.storage.accounts.claim_writes import (
    ClaimRow,
    ClaimWrite,
    Confirmation,
    Doubt,
    Opening,
    Release,
    Retaking,
    write_claims,
)
from gameserver.storage.ids import slot_of, slot_of_key
from gameserver.storage.postgres import statements
from gameserver.storage.postgres.commit_points import before_commit_point
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
        return await self._reads.ask(_Wanted(*self._place(key)))

    async def reserve(self, keys: Sequence[Key], player_id: int, command_id: str) -> list[Claim]:
        """Opens claims for a sign-up on the keys that are free, and reopens those that it has reserved before.

        Returns each as it is now, whoever holds it. Raises DatabaseUnavailable, Overloaded: some may be open then.
        """
        return await self._claims([Opening(*self._place(key), player_id, command_id) for key in keys])

    async def retake(self, key: Key, player_id: int, command_id: str) -> Claim:
        """`retake_all` of one key."""
        (claim,) = await self.retake_all([key], player_id, command_id)
        return claim

    async def retake_all(self, keys: Sequence[Key], player_id: int, command_id: str) -> list[Claim]:
        """Opens claims for a player that is known to exist on the keys that are free, and reopens the player's own.

        Returns each as it is now, whoever holds it. Raises DatabaseUnavailable, Overloaded: some may be open then.
        """
        return await self._claims([Retaking(*self._place(key), player_id, command_id) for key in keys])

    async def doubt(self, key: Key, player_id: int) -> Claim | None:
        """`doubt_all` of one key; None if the player has no claim on it."""
        (claim,) = await self.doubt_all([key], player_id)
        return claim

    async def doubt_all(self, keys: Sequence[Key], player_id: int) -> list[Claim | None]:
        """Reopens a player's claims before the player may lose them; None for one that it doesn't have.

        Raises DatabaseUnavailable, Overloaded: some may be open then.
        """
        with before_commit_point():
            rows = await self._writes.write_all([Doubt(*self._place(key), player_id) for key in keys])
        return [None if row is None else _claim(row) for row in rows]

    async def confirm(self, claim: Claim) -> None:
        """Confirms an open claim if it hasn't changed since it was read. Raises DatabaseUnavailable, Overloaded."""
        await self._writes.write(self._confirmation(claim))

    def confirm_soon(self, claims: Iterable[Claim]) -> None:
        """The same, behind the caller's back; what can't be confirmed is left to the sweeper."""
        for claim in claims:
            self._writes.begin(self._confirmation(claim))

    async def release(self, claim: Claim) -> None:
        """Frees an open claim's key if the claim hasn't changed since it was read.

        Raises DatabaseUnavailable, Overloaded.
        """
        await self._writes.write(self._releasing(claim))

    async def settle(self, confirmed: Iterable[Claim], released: Iterable[Claim]) -> None:
        """`confirm` and `release` for several claims at once; raises what they do, when all have ended."""
        writes: list[ClaimWrite] = [*map(self._confirmation, confirmed), *map(self._releasing, released)]
        await self._writes.write_all(writes)

    async def overdue(self, limit: int) -> Sequence[Claim]:
        """Open claims past their deadlines, at most `limit` of each database that answers, of the slots it owns.

        They are drawn if there are more: those that can't be resolved for long hide the others for no longer than
        chance has it.
        """
        is_owned = CLAIMS.c.slot.in_(select(OWNED.c.slot).where(OWNED.c.owned))
        overdue = _selected().where(~CLAIMS.c.confirmed, CLAIMS.c.deadline < func.now(), is_owned)
        drawn = overdue.order_by(func.random()).limit(limit)

        async def ask(database: Database) -> list[Claim]:
            with contextlib.suppress(Unavailable):
                async with database.snapshot() as connection:
                    return [_claim(row) for row in (await connection.execute(drawn)).mappings()]
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

    async def _claims(self, openings: Sequence[Opening | Retaking]) -> list[Claim]:
        """Each as it is now, whoever holds it. Raises DatabaseUnavailable, Overloaded: some may be open then."""
        for _ in range(RETRIES):  # a claim may be released between the two statements
            with before_commit_point():
                rows = await self._writes.write_all(openings)
            if None not in rows:
                return [_claim(row) for row in rows if row is not None]
        raise DatabaseUnavailable("The claim changes hands: try again.", retry_after=1)

    def _confirmation(self, claim: Claim) -> Confirmation:
        return Confirmation(*self._place(claim.key), claim.player_id, claim.command_id, claim.deadline)

    def _releasing(self, claim: Claim) -> Release:
        return Release(*self._place(claim.key), claim.player_id, claim.command_id, claim.deadline)

    def _place(self, key: Key) -> tuple[int, str, str]:
        return self._slot(key), key.kind, key.text

    def _slot(self, key: Key) -> int:
        return slot_of_key(key.kind, key.text, self._slots.size("accounts"))


def _selected() -> Any:
    return select(CLAIMS, (~CLAIMS.c.confirmed & (CLAIMS.c.deadline < func.now())).label("overdue"))


async def _read(connection: asyncpg.Connection, wanted: Sequence[_Wanted]) -> Sequence[Claim | SlotMoved | None]:
    """The claims on many keys."""
    rows = await connection.fetch(SQL["claims"], *zip(*dict.fromkeys(wanted), strict=True))
    replies = {(row["kind"], row["key"]): _reply(row) for row in rows}
    return [replies[key.kind, key.key] for key in wanted]


def _reply(row: asyncpg.Record) -> Claim | SlotMoved | None:
    if not row["owned"]:
        return SlotMoved()
    return None if row["player_id"] is None else _claim(row)


def _claim(row: Any) -> Claim:
    key = Key(KeyKind(row["kind"]), row["key"])
    return Claim(key, row["player_id"], row["command_id"], row["confirmed"], row["deadline"], row["overdue"])
