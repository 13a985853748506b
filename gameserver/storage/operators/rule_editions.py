"""Tells the databases of players which edition of the rules is in force from when on.

Law: it is written under the fence of players, held exclusively, so every transaction that commits a row either ended
before, with an earlier time, or reads it. While it isn't decided, nothing is judged there from its moment on.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from gameserver.rules.errors import DatabaseUnavailable
from gameserver.storage.operators.rule_orders import CANCELLED, ORDERED, RuleOrder
from gameserver.storage.postgres import statements
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.faults import translated
from gameserver.storage.postgres.locks import FENCES
from gameserver.storage.postgres.patience import FENCING
from gameserver.storage.postgres.sole_locks import fenced_alone
from gameserver.waiting import all_ended

SQL = statements.load(__package__, "rule_editions.sql")
SETTINGS = {**FENCING, "statement_timeout": "3000"}
FENCE_MILLISECONDS = 2_000
UNDECIDED = "undecided"


class KnownEditions(NamedTuple):
    """The newest edition that a database knows, 0 if none; those of which one may not know the end are `open`."""

    newest: int
    open: frozenset[int]


class RuleEditions:
    """`members` gives the databases of players."""

    def __init__(self, members: Callable[[], Sequence[Database]]) -> None:
        self._members = members

    async def tell(self, order: RuleOrder, *, ahead: bool = False, only: Collection[str] | None = None) -> list[str]:
        """Tells every database of an order, or `only` some; sentences about those that weren't told.

        With `ahead` a database whose clock has reached the order's moment isn't told.
        """
        chosen = [database for database in self._members() if only is None or database.name in only]
        answers = await asyncio.gather(*(_told(database, order, ahead=ahead) for database in chosen))
        return [answer for answer in answers if answer is not None]

    async def behind(self, order: RuleOrder) -> list[str]:
        """The databases that don't know of this step of an order, or don't answer."""
        members = self._members()
        answers = await asyncio.gather(*(_knows(database, order) for database in members))
        return [database.name for database, knows in zip(members, answers, strict=True) if not knows]

    async def known(self) -> KnownEditions:
        """What the databases that answer know."""
        answers = await asyncio.gather(*map(_known, self._members()))
        newest = max((answer.newest for answer in answers), default=0)
        return KnownEditions(newest, frozenset().union(*(answer.open for answer in answers)))

    async def disown(self, known: int) -> None:
        """Takes back every edition above the newest one that the control database knows, which has gone back.

        Raises DatabaseUnavailable once all databases that answer have done so.
        """
        await all_ended(_disowned(database, known) for database in self._members())


def _state(order: RuleOrder) -> str:
    return order.state if order.state in (ORDERED, CANCELLED) else UNDECIDED


async def _disowned(database: Database, known: int) -> None:
    with translated(database.name):
        connection = await database.connect(SETTINGS)
        try:
            if await connection.fetchval(SQL["has_strange"], known):
                async with fenced_alone(connection, FENCES["players"], FENCE_MILLISECONDS, SQL["strange"]):
                    await connection.execute(SQL["strange"], known)
        finally:
            connection.terminate()


async def _told(database: Database, order: RuleOrder, *, ahead: bool) -> str | None:
    try:
        with translated(database.name):
            connection = await database.connect(SETTINGS)
            try:
                foreseen = [SQL[name] for name in ("tell", "forget", "known")]
                async with fenced_alone(connection, FENCES["players"], FENCE_MILLISECONDS, *foreseen):
                    arguments = (order.edition, order.at.timestamp(), _state(order), order.step, ahead)
                    await connection.execute(SQL["tell"], *arguments)
                    await connection.execute(SQL["forget"], order.edition)
                    known = await connection.fetchval(SQL["known"], order.edition)
            finally:
                connection.terminate()
    except DatabaseUnavailable as error:
        return f"database {database.name}: {error.detail}"
    if known is None or known < order.step:
        return f"database {database.name}: by its clock the moment has come already"
    return None


async def _known(database: Database) -> KnownEditions:
    try:
        (row,) = await database.ask(SQL["newest"])
    except DatabaseUnavailable:
        return KnownEditions(0, frozenset())
    return KnownEditions(row.edition, frozenset(row.open))


async def _knows(database: Database, order: RuleOrder) -> bool:
    try:
        rows = await database.ask(SQL["known"], order.edition)
    except DatabaseUnavailable:
        return False
    return bool(rows) and rows[0].step >= order.step
