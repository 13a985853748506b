"""Statements that only read, over the driver of a pooled connection: without what SQLAlchemy does for each."""

from collections.abc import Sequence

import asyncpg

from gameserver.storage.postgres import pools
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.faults import translated


async def fetch(database: Database, statement: str, *arguments: object) -> Sequence[asyncpg.Record]:
    """The rows of one statement with `$1`…, over a connection from the share of the present purpose.

    Raises DatabaseUnavailable, Overloaded.
    """
    with translated(database.name):
        async with database.shares.take(), database.engine.connect() as opened:
            driver = pools.driver_of(await opened.get_raw_connection())
            try:
                rows: Sequence[asyncpg.Record] = await driver.fetch(statement, *arguments)
            except BaseException:
                await opened.invalidate()
                raise
            return rows
