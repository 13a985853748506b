"""A database that went back, and how the others are read beside it."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg

from gameserver.storage.ids import first_command_id
from gameserver.storage.postgres import statements
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.faults import translated
from gameserver.storage.postgres.patience import UNHURRIED_READS

SQL = statements.load(__package__, "crossings.sql")
CHUNK = 1000
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
    """A connection whose statements each see what was committed before: what is read first elsewhere is known here.

    Raises DatabaseUnavailable.
    """
    with translated(database.name):
        connection = await database.connect(UNHURRIED_READS)
        try:
            async with connection.transaction(isolation="read_committed", readonly=True):
                yield connection
        finally:
            connection.terminate()


async def chunks(
    connection: asyncpg.Connection, statement: str, *arguments: object
) -> AsyncIterator[list[asyncpg.Record]]:
    """The rows of a statement, a thousand at a time."""
    cursor = await connection.cursor(SQL[statement], *arguments)
    while rows := await cursor.fetch(CHUNK):
        yield rows
