"""Drops the ledger's old partitions, online, and keeps of each what must outlive it.

Law: before a partition is dropped, `ledger_kept` has of every player that the database owns its sign-up (which names
its devices), and the last row that took effect (the state from which what is left of its history goes on). Nothing is
dropped while slots move to or from the database: a move is verified by sums over the ledger. Whatever is killed at any
step, the next run goes on from there. A partition is detached concurrently, so no writer waits.
"""

import contextlib
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta

import asyncpg
from sqlalchemy import text

from gameserver.storage.ledger.partitions import NAME
from gameserver.storage.postgres import statements
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.faults import translated
from gameserver.storage.postgres.locks import FENCES, FORGETTING

SQL = statements.load(__package__, "retention.sql")
STATEMENT_SECONDS = 60.0
SETTINGS = {"statement_timeout": "60000", "lock_timeout": "5000"}
"""In milliseconds: detaching waits for the transactions that are under way."""
WEEK = timedelta(weeks=1)


async def oldest_letter(databases: Sequence[Database]) -> datetime | None:
    """When the oldest letter was sent that is still to be delivered. Raises DatabaseUnavailable."""
    oldest = []
    for database in databases:
        async with database.snapshot() as connection:
            oldest.append((await connection.execute(text("select min(at) from outbox"))).scalar())
    return min((moment for moment in oldest if moment is not None), default=None)


async def forget_old(database: Database, before: datetime) -> int:
    """Drops the partitions whose command ids are all from before this moment; how many.

    None while another node does so, or while slots are moved. Raises DatabaseUnavailable.
    """
    dropped = 0
    with translated(database.name):
        async with _alone(database) as connection:
            if connection is None or await connection.fetchval(SQL["moving"]):
                return 0
            for row in await connection.fetch(SQL["partitions"]):
                if datetime.strptime(f"{row['name']}+0000", f"{NAME}%z") + WEEK <= before:
                    await _drop(connection, row["name"], row["state"])
                    dropped += 1
    return dropped


@contextlib.asynccontextmanager
async def _alone(database: Database) -> AsyncIterator[asyncpg.Connection | None]:
    """A connection that holds the lock of this work; None while another one does."""
    connection = await database.connect(SETTINGS)
    try:
        yield connection if await connection.fetchval("select pg_try_advisory_lock($1)", FORGETTING) else None
    finally:
        connection.terminate()


async def _drop(connection: asyncpg.Connection, name: str, state: str) -> None:
    if state == "attached":
        for row in await connection.fetch(SQL["slots"]):
            async with connection.transaction():
                await connection.execute("select pg_advisory_xact_lock_shared($1)", FENCES["players"])
                await connection.execute(SQL["keep"].format(partition=name), row["slot"], timeout=STATEMENT_SECONDS)
                await connection.execute(SQL["forget"], row["slot"], timeout=STATEMENT_SECONDS)
    if state != "detached":
        how = "concurrently" if state == "attached" else "finalize"
        await connection.execute(f"alter table ledger detach partition {name} {how}", timeout=STATEMENT_SECONDS)
    await connection.execute(f"drop table {name}", timeout=STATEMENT_SECONDS)
