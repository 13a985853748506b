"""Ends sessions that stand still amid a statement, where Postgres has no `transaction_timeout`: before 17.

Law: whatever a process has locked is free within FROZEN and LOOK_SECONDS, if it freezes between the parsing of a
statement and its arguments, as long as another node runs. A session that works never stands so: a long statement
doesn't wait for its client. One that is ended so notices, as of any lost connection.
"""

import asyncio
from datetime import timedelta

import structlog

from gameserver.rules.errors import DatabaseUnavailable
from gameserver.storage.postgres import patience, statements
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.databases import Databases
from gameserver.storage.postgres.shares import Purpose, using

SQL = statements.load(__package__, "frozen_sessions.sql")
FROZEN = timedelta(seconds=10)
LOOK_SECONDS = 5.0
log = structlog.get_logger()


class FrozenSessions:
    """Those of all databases of a node, as one node looks for them."""

    def __init__(self, databases: Databases) -> None:
        self._databases = databases
        self._needless: set[str] = set()
        """Databases whose server ends them by itself."""

    async def run(self) -> None:
        """Looks again and again, until cancelled."""
        while True:
            with using(Purpose.UPKEEP):
                names = [name for name in self._databases.names() if self._databases[name].groups]
                await asyncio.gather(*(self._look(self._databases[name]) for name in names))
            await asyncio.sleep(LOOK_SECONDS)

    async def _look(self, database: Database) -> None:
        if database.name in self._needless:
            return
        try:
            ended = await end_standing(database)
        except DatabaseUnavailable:
            return  # the database's outage is told elsewhere
        if ended is None:
            self._needless.add(database.name)
        elif ended:
            log.warning("sessions that stood still amid a statement were ended", database=database.name, sessions=ended)


async def end_standing(database: Database) -> int | None:
    """How many sessions were ended; None where the server does it. Raises DatabaseUnavailable."""
    rows = await database.ask(SQL["end_standing"], patience.TRANSACTION_SINCE * 10_000, FROZEN)
    return None if rows and rows[0].ended is None else len(rows)
