"""Queries of rankings that operators save under a name, for each other; in the control database.

Law: there are never more than MOST. None of them names a player, so nothing here has to be erased with one.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import delete, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from gameserver.rules.errors import Conflict, TooManyQueries
from gameserver.storage import tables
from gameserver.storage.postgres.database import Database

QUERIES = tables.saved_queries
SAVED = (QUERIES.c.name, QUERIES.c.query, QUERIES.c.admin, QUERIES.c.at)
MOST = 200
_ONE_AT_A_TIME = text("lock table saved_queries in share row exclusive mode")
"""So that two that are saved at once can't both be the last one that there is room for; reads don't wait for it."""


class SavedQuery(NamedTuple):
    """`query` has the parameters of a ranking as a URL has them; `admin` saved it last."""

    name: str
    query: Mapping[str, str]
    admin: str
    at: datetime


class SavedQueries:
    """One per node; every method raises DatabaseUnavailable."""

    def __init__(self, control: Database) -> None:
        self._control = control

    async def all(self) -> list[SavedQuery]:
        """By name."""
        async with self._control.snapshot() as connection:
            return [SavedQuery(*row) for row in await connection.execute(select(*SAVED).order_by(QUERIES.c.name))]

    async def find(self, name: str) -> SavedQuery | None:
        async with self._control.snapshot() as connection:
            row = (await connection.execute(select(*SAVED).where(QUERIES.c.name == name))).one_or_none()
            return None if row is None else SavedQuery(*row)

    async def put(self, name: str, query: Mapping[str, str], admin: str, *, replace: bool = True) -> SavedQuery:
        """Saves it, in place of what has the name if that may be. Raises Conflict, TooManyQueries."""
        row = {"query": dict(query), "admin": admin, "at": func.clock_timestamp()}
        statement = insert(QUERIES).values(name=name, **row)
        async with self._control.transaction() as connection:
            await connection.execute(_ONE_AT_A_TIME)
            taken = await connection.execute(select(QUERIES.c.admin).where(QUERIES.c.name == name))
            if not replace and taken.first() is not None:
                raise Conflict(f"“{name}” has been saved already: take another name, or replace it.")
            await _require_room(connection, name)
            found = await connection.execute(
                statement.on_conflict_do_update(index_elements=[QUERIES.c.name], set_=row).returning(*SAVED)
            )
            return SavedQuery(*found.one())

    async def remove(self, name: str) -> bool:
        """Whether there was one."""
        async with self._control.transaction() as connection:
            return (await connection.execute(delete(QUERIES).where(QUERIES.c.name == name))).rowcount > 0


async def _require_room(connection: AsyncConnection, name: str) -> None:
    """Raises TooManyQueries."""
    others = select(func.count()).select_from(QUERIES).where(QUERIES.c.name != name)
    if (await connection.execute(others)).scalar_one() >= MOST:
        raise TooManyQueries(f"There are {MOST} saved queries: delete one that nobody needs.")
