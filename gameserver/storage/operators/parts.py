"""One database's part of a question over all of them: a snapshot, and which slots it owns in it.

A database that is silent is given up after OPEN_SECONDS, and holds no connections of the others that play needs.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import inf
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, and_, text

from gameserver.rules.errors import DatabaseUnavailable
from gameserver.storage import tables
from gameserver.storage.postgres import statements
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.replica import Replica
from gameserver.storage.postgres.report import Report

T = TypeVar("T")
SQL = {name: text(statement) for name, statement in statements.load(__package__, "reports.sql").items()}
PLAYERS = tables.player_rows
OPEN_SECONDS = 1.5
"""How long the opening may take: shorter than the others' transactions may be idle (`patience.POOLED`)."""


@dataclass(frozen=True, slots=True)
class Part:
    """One database's part of a question over all of them: its snapshot.

    `leftovers` are slots that it has rows of but doesn't own; `bounds` are the histogram bounds of what is ranked by,
    of moments Unix microseconds.
    """

    report: Report
    database: str
    slots: Sequence[int]
    as_of: datetime
    leftovers: Sequence[int]
    bounds: Sequence[int]

    async def ask(self, statement: Any, **arguments: Any) -> Sequence[Any]:
        """Raises DatabaseUnavailable."""
        return await self.report.ask(statement, arguments)

    def counted(self) -> ColumnElement[bool]:
        """Which rows count. A join with the owned slots would double the time of the scan, so it lists the others."""
        return counted(self.leftovers)


def counted(leftovers: Sequence[int]) -> ColumnElement[bool]:
    """Which rows are players of slots that the database owns; `leftovers` are the others that it has rows of."""
    exists = ~PLAYERS.c.void
    return and_(exists, PLAYERS.c.slot.not_in(leftovers)) if leftovers else exists


async def part_of(
    stack: AsyncExitStack,
    database: Database,
    replica: Replica | None,
    arguments: Mapping[str, Any],
    deadline: float,
    now: Callable[[], datetime],
) -> Part:
    """A database's part, from a replica if one is given and answers. Raises DatabaseUnavailable.

    What a replica shows is of a moment before it was asked, by `now`: its own clock says nothing about its primary.
    """
    if replica is not None and (age := replica.age()) < inf:
        fresh_at = time.monotonic() - age
        try:
            part = await _opened(stack, replica.database, arguments, deadline)
            shown = now() - timedelta(seconds=time.monotonic() - fresh_at)
            return replace(part, as_of=shown, database=database.name)
        except DatabaseUnavailable as error:
            replica.distrust(error.detail)
    return await _opened(stack, database, arguments, deadline)


async def _opened(stack: AsyncExitStack, database: Database, arguments: Mapping[str, Any], deadline: float) -> Part:
    """The part that this server has, as of its first statement. Raises DatabaseUnavailable."""
    opening = min(deadline, asyncio.get_running_loop().time() + OPEN_SECONDS)
    report = await stack.enter_async_context(database.report(opening))
    (row,) = await report.ask(SQL["open"], arguments)
    report.extend(deadline)
    return Part(report, database.name, row.slots, row.as_of, row.leftovers, row.bounds)


async def answering(
    stack: AsyncExitStack, databases: Sequence[Database], arguments: Mapping[str, Any], deadline: float
) -> list[Part]:
    """The parts of the databases that answer."""
    opened = await asyncio.gather(
        *(_opened(stack, database, arguments, deadline) for database in databases), return_exceptions=True
    )
    for answer in opened:
        if isinstance(answer, BaseException) and not isinstance(answer, DatabaseUnavailable):
            raise answer
    return [answer for answer in opened if not isinstance(answer, BaseException)]


async def gathered(questions: Iterable[Awaitable[T]]) -> list[T]:
    """Every answer. Raises the first error once all have ended, since the others still use their connections."""
    answers = await asyncio.gather(*questions, return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
    return [answer for answer in answers if not isinstance(answer, BaseException)]
