"""One driver connection of the hot path, replaced when it is lost."""

import contextlib
from collections.abc import Mapping, Sequence

import asyncpg

from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.driver import DriverConnection
from gameserver.storage.postgres.faults import LOST

REST_SECONDS = 1.0


HOT_PATH = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}
"""Settings for statements over `unnest`: planned once, and always row by row through the primary key, even where the
statistics date from when a table was small."""


class Link:
    """Opens its connection when it is needed, and again after it was lost. Not for use by two tasks at once."""

    def __init__(self, database: Database, settings: Mapping[str, str], foreseen: Sequence[str] = ()) -> None:
        """`foreseen` are statements that the server parses as soon as it is connected to."""
        self._database = database
        self._settings, self._foreseen = settings, foreseen
        self._connection: DriverConnection | None = None

    @property
    def is_in_transaction(self) -> bool:
        """Whether a transaction is open, as far as is known."""
        return self._connection is not None and self._connection.is_in_transaction()

    @property
    def is_committing(self) -> bool:
        """Whether a commit was sent whose answer hasn't come: what it was to write may have been written."""
        return self._connection is not None and self._connection.is_committing

    async def open(self) -> DriverConnection:
        """Raises one of LOST."""
        if self._connection is not None and not self._connection.is_usable():
            self.drop()
        if self._connection is None:
            connection = await self._database.connect(self._settings)
            try:
                await connection.foresee(*self._foreseen)
            except BaseException:
                connection.terminate()
                raise
            self._connection = connection
        return self._connection

    async def rest(self) -> None:
        """Rolls back a transaction that was begun in advance, if any; to be called before a wait."""
        if self._connection is None:
            return
        if not self._connection.is_usable():
            # What was cut elsewhere has nothing to roll back.
            self.drop()
        elif self._connection.is_in_transaction():
            await self._roll_back(self._connection)

    async def _roll_back(self, connection: DriverConnection) -> None:
        try:
            await connection.execute("rollback", timeout=REST_SECONDS)
        except (*LOST, asyncpg.PostgresError):
            self.drop()

    def drop(self) -> None:
        """Ends the connection at once; the server rolls back what it was doing."""
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    async def close(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            with contextlib.suppress(*LOST, asyncpg.PostgresError):
                await connection.close(timeout=1)
