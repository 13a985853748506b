"""The claims of many in one transaction: opened, reopened, confirmed and released.

Law: the rows of each kind of write are written in the order of their keys, so that two nodes seldom wait for each
other's; where they do, the writes are tried again one by one (slots/shared_writes.py). Of several who want one key, the
first one of the batch opens it, and the others see its claim. What is released or confirmed comes first.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import asyncpg

from gameserver.storage.postgres import statements

SQL = statements.load(__package__, "claim_writes.sql")
OPEN_FOR = timedelta(seconds=30)
"""Far longer than a sign-up or a rename takes."""


class Opening(NamedTuple):
    """A claim to be opened if its key is free, or reopened if the same sign-up has opened it before."""

    slot: int
    kind: str
    key: str
    player_id: int
    command_id: str


class Confirmation(NamedTuple):
    """An open claim to be confirmed if it hasn't changed since it was read."""

    slot: int
    kind: str
    key: str
    player_id: int
    command_id: str
    deadline: datetime


class Retaking(NamedTuple):
    """A claim to be opened for a player that exists if its key is free, or reopened if it is the player's own."""

    slot: int
    kind: str
    key: str
    player_id: int
    command_id: str


class Doubt(NamedTuple):
    """A claim to be reopened if it is the player's."""

    slot: int
    kind: str
    key: str
    player_id: int


class Release(NamedTuple):
    """An open claim whose key is to be free if it hasn't changed since it was read."""

    slot: int
    kind: str
    key: str
    player_id: int
    command_id: str
    deadline: datetime


ClaimWrite = Opening | Confirmation | Retaking | Doubt | Release
ClaimRow = Mapping[str, Any]


async def write_claims(connection: asyncpg.Connection, writes: Sequence[ClaimWrite]) -> Sequence[ClaimRow | None]:
    """The claim that an opening or retaking leads to, whoever holds it, or None if it has just been released; the claim
    that a doubt reopened, or None if the player has none; None for the others.

    Raises driver errors.
    """
    if confirmations := sorted(write for write in writes if isinstance(write, Confirmation)):
        await connection.execute(SQL["confirm"], *zip(*confirmations, strict=True))
    if releases := sorted(write for write in writes if isinstance(write, Release)):
        await connection.execute(SQL["release"], *zip(*releases, strict=True))
    doubted = await _doubted(connection, {write for write in writes if isinstance(write, Doubt)})
    openings = [write for write in writes if isinstance(write, Opening)]
    retakings = [write for write in writes if isinstance(write, Retaking)]
    claims = await _opened(connection, "open", openings) if openings else {}
    retaken = await _opened(connection, "retake", retakings) if retakings else {}
    return [_row_for(write, claims, retaken, doubted) for write in writes]


def _row_for(
    write: ClaimWrite, claims: Mapping[Any, ClaimRow], retaken: Mapping[Any, ClaimRow], doubted: Mapping[Any, ClaimRow]
) -> ClaimRow | None:
    match write:
        case Opening():
            return claims.get(write[:3])
        case Retaking():
            return retaken.get(write[:3])
        case Doubt():
            return doubted.get(write)
    return None


async def _opened(
    connection: asyncpg.Connection, statement: str, writes: Sequence[Opening | Retaking]
) -> dict[tuple[int, str, str], ClaimRow]:
    """The claims on the keys after the statement, by slot, kind and key."""
    first = sorted({write[:3]: write for write in reversed(writes)}.values())
    arguments = [*zip(*first, strict=True)]
    claims = {_key(row): row for row in await connection.fetch(SQL[statement], *arguments, OPEN_FOR)}
    if len(claims) < len(first):
        claims |= {_key(row): row for row in await connection.fetch(SQL["present"], *arguments[:3])}
    return claims


async def _doubted(connection: asyncpg.Connection, doubts: Collection[Doubt]) -> dict[Doubt, ClaimRow]:
    if not doubts:
        return {}
    rows = await connection.fetch(SQL["doubt"], *zip(*sorted(doubts), strict=True), OPEN_FOR)
    return {Doubt(*_key(row), row["player_id"]): row for row in rows}


def _key(row: ClaimRow) -> tuple[int, str, str]:
    return row["slot"], row["kind"], row["key"]
