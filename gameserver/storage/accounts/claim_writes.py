"""The claims of many sign-ups in one transaction: opened, and confirmed.

Law: rows are written in the order of their keys, so that two nodes never wait for each other's. Of several sign-ups
that want one key, the first one of the batch opens it, and the others see its claim.
"""

from collections.abc import Mapping, Sequence
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


ClaimWrite = Opening | Confirmation
ClaimRow = Mapping[str, Any]


async def write_claims(connection: asyncpg.Connection, writes: Sequence[ClaimWrite]) -> Sequence[ClaimRow | None]:
    """The claim that an opening leads to, whoever holds it; None if it has just been released, or was to be confirmed.

    Raises driver errors.
    """
    if confirmations := sorted(write for write in writes if isinstance(write, Confirmation)):
        await connection.execute(SQL["confirm"], *zip(*confirmations, strict=True))
    openings = sorted({write[:3]: write for write in reversed(writes) if isinstance(write, Opening)}.values())
    if not openings:
        return [None] * len(writes)
    arguments = [*zip(*openings, strict=True)]
    claims = {_key(row): row for row in await connection.fetch(SQL["open"], *arguments, OPEN_FOR)}
    if len(claims) < len(openings):
        claims |= {_key(row): row for row in await connection.fetch(SQL["present"], *arguments[:3])}
    return [claims.get(write[:3]) if isinstance(write, Opening) else None for write in writes]


def _key(row: ClaimRow) -> tuple[int, str, str]:
    return row["slot"], row["kind"], row["key"]
