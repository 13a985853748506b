"""A database that went back, and how the others are read beside it.

Law: whatever is large is read in pieces, each by one short statement that is a transaction of its own, and no
transaction is open anywhere else meanwhile. So it ends however large a table is, and keeps nobody from being vacuumed.
A piece by keys sees every row that was there at the beginning and still is, also when the row changes meanwhile. One by
place, which is what reads a large table at the speed of the disk, may miss a row that is updated meanwhile: it is for
rows that never change, or whose change says that the change was made knowing what counts now.
"""

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg

from gameserver.storage.ids import first_command_id
from gameserver.storage.ledger.partitions import NAME, weeks
from gameserver.storage.postgres import statements
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.faults import translated

SQL = statements.load(__package__, "crossings.sql")
CHUNK = 1000
"""Rows of a piece by keys, and the most that are compared at once."""
BLOCKS = 4096
"""Of a piece by place; a block has 8 KiB unless Postgres was built otherwise."""
OLDEST_COMMAND = timedelta(days=3)
"""A command's id may be older than its row in the ledger by the window, 48 hours unless the settings say else."""


@dataclass(frozen=True, slots=True)
class WentBack:
    """A database as it was at `since`; `players` and `items` are the slots of these groups that it owns."""

    database: Database
    since: datetime
    players: Sequence[int]
    items: Sequence[int]

    @property
    def first_command(self) -> str:
        """The lowest command id that may have been written since."""
        return first_command_id(int((self.since - OLDEST_COMMAND).timestamp() * 1000))


@contextlib.asynccontextmanager
async def reading(database: Database) -> AsyncIterator[asyncpg.Connection]:
    """A connection for reads, outside of any transaction: what is read first elsewhere is known to its next statement.

    Raises DatabaseUnavailable.
    """
    with translated(database.name):
        connection = await database.connect({})
        try:
            yield connection
        finally:
            connection.terminate()


async def by_keys(
    connection: asyncpg.Connection, statement: str, key: Sequence[object], *arguments: object
) -> AsyncIterator[list[asyncpg.Record]]:
    """The rows that are `wanted`, a piece at a time, behind a lowest key.

    The statement's parameters are the key, the number of rows, and the arguments; its first columns are the key.
    """
    while True:
        rows = await connection.fetch(SQL[statement], *key, CHUNK, *arguments)
        if wanted := [row for row in rows if row["wanted"]]:
            yield wanted
        if len(rows) < CHUNK:
            return
        key = tuple(rows[-1].values())[: len(key)]


async def by_place(
    connection: asyncpg.Connection, table: str, statement: str, *arguments: object
) -> AsyncIterator[list[asyncpg.Record]]:
    """The rows that the statement finds from a block of `{table}` to another, its first two parameters.

    A table that is dropped meanwhile ends there: it is a week that the ledger doesn't keep any more.
    """
    query, begin = SQL[statement].replace("{table}", table), 0
    with contextlib.suppress(asyncpg.UndefinedTableError):
        while begin < await connection.fetchval(SQL["blocks"], table):
            rows = await connection.fetch(query, (begin, 0), (begin + BLOCKS, 0), *arguments)
            for first in range(0, len(rows), CHUNK):
                yield rows[first : first + CHUNK]
            begin += BLOCKS


async def of_ledger(
    connection: asyncpg.Connection, since: datetime, statement: str, *arguments: object
) -> AsyncIterator[list[asyncpg.Record]]:
    """Rows of the weeks of the ledger that commands written since then may be in."""
    oldest = weeks(since, OLDEST_COMMAND)[0].strftime(NAME)
    for week in await connection.fetch(SQL["weeks_since"], oldest):
        async for rows in by_place(connection, week["name"], statement, since, *arguments):
            yield rows
