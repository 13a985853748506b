"""Whether players play meanwhile, as a long read of the databases sees it: by what the databases write.

Law: whatever is played on whichever node is written to the log of a database, and while nobody plays, that log stands
still. So one number of each database tells it, without asking nodes or counting anything. Until it was looked at twice,
play is taken for granted. What else writes (a move, a migration, vacuum) counts as play.
"""

import asyncio
from typing import NamedTuple

from gameserver.storage.postgres.driver import DriverConnection

LOOK_SECONDS = 0.25
QUIET = 8_000
"""Bytes a second that a database may write while nobody plays: some ten actions."""
POSITION = "select (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::float8"


class _Look(NamedTuple):
    at: float
    position: float
    is_written: bool


class PlayWatch:
    """One per long read; `look` is called between its steps, on the connection of each database."""

    def __init__(self) -> None:
        self._looks: dict[str, _Look] = {}

    @property
    def is_played(self) -> bool:
        """Whether one of the databases was written to, as of the last looks."""
        return any(look.is_written for look in self._looks.values())

    async def look(self, database: str, connection: DriverConnection) -> None:
        """Asks the database, unless that was just done."""
        last, now = self._looks.get(database), asyncio.get_running_loop().time()
        if last is not None and now - last.at < LOOK_SECONDS:
            return
        position = await connection.fetchval(POSITION)
        is_written = last is None or position - last.position > QUIET * (now - last.at)
        self._looks[database] = _Look(now, position, is_written)
