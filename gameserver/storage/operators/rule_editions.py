"""Tells the databases of players which edition of the rules is in force from when on.

Law: it is written under the fence of players, held exclusively, so every transaction that commits a row either ended
before, with an earlier time, or reads it. While it isn't decided, nothing is judged there from its moment on.
"""

import asyncio
from collections.abc import Callable, Sequence

from gameserver.rules.errors import DatabaseUnavailable
from gameserver.storage.operators.rule_orders import CANCELLED, ORDERED, RuleOrder
from gameserver.storage.postgres import statements
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.faults import translated
from gameserver.storage.postgres.locks import FENCES

SQL = statements.load(__package__, "rule_editions.sql")
SETTINGS = {"lock_timeout": "2000", "statement_timeout": "3000", "idle_in_transaction_session_timeout": "2000"}
UNDECIDED = "undecided"


class RuleEditions:
    """`members` gives the databases of players."""

    def __init__(self, members: Callable[[], Sequence[Database]]) -> None:
        self._members = members

    async def tell(self, order: RuleOrder, *, ahead: bool = False) -> list[str]:
        """Tells every database of an order; sentences about those that weren't told.

        With `ahead` a database whose clock has reached the order's moment isn't told.
        """
        answers = await asyncio.gather(*(_told(database, order, ahead=ahead) for database in self._members()))
        return [answer for answer in answers if answer is not None]

    async def behind(self, order: RuleOrder) -> list[str]:
        """The databases that don't know of this step of an order, or don't answer."""
        answers = await asyncio.gather(*(_knows(database, order) for database in self._members()))
        return [database.name for database, knows in zip(self._members(), answers, strict=True) if not knows]

    async def newest(self) -> int:
        """The newest edition that a database knows; of those that answer."""
        answers = await asyncio.gather(*map(_newest, self._members()))
        return max(answers, default=0)

    async def disown(self, known: int) -> None:
        """Takes back every edition above the newest one that the control database knows, which has gone back.

        Raises DatabaseUnavailable.
        """
        for database in self._members():
            with translated(database.name):
                connection = await database.connect(SETTINGS)
                try:
                    async with connection.transaction():
                        await connection.execute(SQL["fence"], FENCES["players"])
                        await connection.execute(SQL["strange"], known)
                finally:
                    connection.terminate()


def _state(order: RuleOrder) -> str:
    return order.state if order.state in (ORDERED, CANCELLED) else UNDECIDED


async def _told(database: Database, order: RuleOrder, *, ahead: bool) -> str | None:
    try:
        with translated(database.name):
            connection = await database.connect(SETTINGS)
            try:
                async with connection.transaction():
                    await connection.execute(SQL["fence"], FENCES["players"])
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


async def _newest(database: Database) -> int:
    try:
        return int((await database.ask(SQL["newest"]))[0].edition)
    except DatabaseUnavailable:
        return 0


async def _knows(database: Database, order: RuleOrder) -> bool:
    try:
        rows = await database.ask(SQL["known"], order.edition)
    except DatabaseUnavailable:
        return False
    return bool(rows) and rows[0].step >= order.step
