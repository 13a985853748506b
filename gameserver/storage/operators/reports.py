"""Questions over all databases: rankings and counts, exact as of one moment of each.

Law: a player is counted once, also while he is being moved. Every database opens a snapshot and tells which slots it
owns in it; unless each slot is owned in exactly one of the snapshots, all are opened anew. A slot that flips between
two of them is covered twice or not at all, and only from then on it matters what rows there are: those of slots that
a database doesn't own in its snapshot (a copy under way, or what is left of one) are passed over.

A ranking by what changes with every action scans: an index would cost more than it saves (`schema`). Each database
looks for keys alone, as many as a page has; these are merged, and only the page's players are read whole, from the same
snapshots. So a page in the middle costs what the first one does, in time and memory.
"""

import asyncio
import heapq
import time
from bisect import bisect_left, bisect_right
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain, islice
from typing import Any, Literal, TypeVar

from sqlalchemy import ColumnElement, and_, func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from gameserver.rules.player import Player
from gameserver.storage import tables
from gameserver.storage.ids import slot_of
from gameserver.storage.postgres import statements
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.faults import translated
from gameserver.storage.slots.slot_map import MOVED_SECONDS, Slots
from gameserver.storage.tables import player_of

T = TypeVar("T")
SQL = {name: text(statement) for name, statement in statements.load(__package__, "reports.sql").items()}
PLAYERS = tables.player_rows
OWNED = tables.players_owned_slots
By = Literal["exp", "level", "hp", "created_at"]
STEPS = 3
"""From one of the hundred marks that statistics keep to another: a few per cent of the players."""
_START = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Question:
    """A ranking; equal values stand by id. `after` is the value and id of the last one seen."""

    by: By
    limit: int
    descending: bool = True
    class_name: str | None = None
    min_level: int | None = None
    max_level: int | None = None
    after: tuple[int | datetime, int] | None = None


@dataclass(frozen=True, slots=True)
class Ranking:
    players: Sequence[Player]
    more: bool
    as_of: datetime


@dataclass(frozen=True, slots=True)
class Count:
    """How many players of a class and level a database keeps."""

    database: str
    class_name: str
    level: int
    players: int


@dataclass(frozen=True, slots=True)
class _Part:
    """One database's snapshot.

    `leftovers` are slots of which it has rows and which it doesn't own; `marks` some values of what is ranked by.
    """

    database: Database
    connection: AsyncConnection
    slots: Sequence[int]
    as_of: datetime
    leftovers: Sequence[int]
    marks: Sequence[int]

    async def ask(self, statement: Any, **arguments: Any) -> Sequence[Any]:
        """Raises DatabaseUnavailable."""
        return await _ask(self.database, self.connection, statement, **arguments)

    def mine(self) -> ColumnElement[bool]:
        """Which rows count. Asking each row whether its slot is owned would take as long again as the scan."""
        there = ~PLAYERS.c.void
        return and_(there, PLAYERS.c.slot.not_in(self.leftovers)) if self.leftovers else there


class Reports:
    def __init__(self, slots: Slots) -> None:
        self._slots = slots

    async def rank(self, question: Question) -> Ranking:
        """The players in their order. Raises DatabaseUnavailable."""
        rare = question.by == "created_at" or question.min_level is not None or question.max_level is not None
        return await self._over_all(lambda parts: _rank(parts, question), marks_of=None if rare else question.by)

    async def count(self) -> tuple[list[Count], datetime]:
        """Players per database, class and level. Raises DatabaseUnavailable."""
        return await self._over_all(_count)

    async def _over_all(self, work: Callable[[Sequence[_Part]], Awaitable[T]], marks_of: By | None = None) -> T:
        """Does the work over snapshots in which each slot has one owner."""
        size = self._slots.size("players")
        asked = {"size": size, "by": marks_of or ""}
        deadline = time.monotonic() + MOVED_SECONDS
        while True:
            async with AsyncExitStack() as stack:
                opened = [
                    (database, await stack.enter_async_context(database.snapshot()))
                    for database in self._slots.databases("players")
                ]
                parts = await _all(_part(database, connection, asked) for database, connection in opened)
                if sorted(chain(*(part.slots for part in parts))) == [*range(size)]:
                    return await work(parts)
            await self._slots.moved(deadline)


async def _part(database: Database, connection: AsyncConnection, asked: Mapping[str, Any]) -> _Part:
    """A database's part, as of this statement."""
    (row,) = await _ask(database, connection, SQL["open"], **asked)
    return _Part(database, connection, row.slots, row.as_of, row.leftovers, row.marks)


async def _ask(database: Database, connection: AsyncConnection, statement: Any, **arguments: Any) -> Sequence[Any]:
    """Raises DatabaseUnavailable of this database, whichever one's snapshot is closed first then."""
    with translated(database.name):
        return (await connection.execute(statement, arguments)).all()


async def _all(asked: Iterable[Awaitable[T]]) -> list[T]:
    """Every answer; or the first fault, when none is under way any more, as they use connections."""
    found = await asyncio.gather(*asked, return_exceptions=True)
    for each in found:
        if isinstance(each, BaseException):
            raise each
    return [each for each in found if not isinstance(each, BaseException)]


async def _rank(parts: Sequence[_Part], question: Question) -> Ranking:
    found = await _all(_page(part, question) for part in parts)
    lists = [[(_place(question, row), part) for row in rows] for part, rows in zip(parts, found, strict=True)]
    merged = list(islice(heapq.merge(*lists, key=lambda each: each[0]), question.limit + 1))
    page = [(player_id, whose) for (_, player_id), whose in merged[: question.limit]]
    rows = await _all(_whole(part, [player_id for player_id, whose in page if whose is part]) for part in parts)
    players = {row.id: player_of(row) for row in chain(*rows)}
    ordered = [players[player_id] for player_id, _ in page]
    return Ranking(ordered, len(merged) > question.limit, min(part.as_of for part in parts))


async def _page(part: _Part, question: Question) -> Sequence[Any]:
    """The ids and values of one page and one more, or of all that are left.

    Looked for up to a value not far behind the page's beginning first, which spares sorting the rest of the table. If
    there are too few, because statistics are old or the class is rare, they are looked for again without it.
    """
    if (until := _until(question, part.marks)) is not None:
        found = await part.ask(_keys(question, part.mine(), until))
        if len(found) > question.limit:
            return found
    return await part.ask(_keys(question, part.mine()))


def _until(question: Question, marks: Sequence[int]) -> int | None:
    """The mark some steps behind the page's beginning; None if there aren't so many."""
    last: Any = None if question.after is None else question.after[0]
    if question.descending:
        at = (len(marks) if last is None else bisect_left(marks, last)) - STEPS
    else:
        at = (0 if last is None else bisect_right(marks, last)) + STEPS - 1
    return marks[at] if 0 <= at < len(marks) else None


def _place(question: Question, row: Any) -> tuple[int, int]:
    """Orders the keys of different databases as each has ordered its own."""
    value = (row.value - _START) // _MICROSECOND if question.by == "created_at" else row.value
    return (-value if question.descending else value), row.id


async def _whole(part: _Part, ids: Sequence[int]) -> Sequence[Any]:
    if not ids:
        return ()
    return await part.ask(SQL["players"], slots=[slot_of(each) for each in ids], ids=list(ids))


async def _count(parts: Sequence[_Part]) -> tuple[list[Count], datetime]:
    kinds = (PLAYERS.c["class"], PLAYERS.c.level)
    counted = select(*kinds, func.count()).group_by(*kinds)
    found = await _all(part.ask(counted.where(part.mine())) for part in parts)
    counts = [Count(part.database.name, *row) for part, rows in zip(parts, found, strict=True) for row in rows]
    return counts, min(part.as_of for part in parts)


def _keys(question: Question, mine: ColumnElement[bool], until: int | None = None) -> Any:
    value = PLAYERS.c[question.by]
    conditions = [mine]
    if until is not None:
        conditions.append(value >= until if question.descending else value <= until)
    if question.class_name is not None:
        conditions.append(PLAYERS.c["class"] == question.class_name)
    if question.min_level is not None:
        conditions.append(PLAYERS.c.level >= question.min_level)
    if question.max_level is not None:
        conditions.append(PLAYERS.c.level <= question.max_level)
    if question.after is not None:
        last, player_id = question.after
        from_there, beyond = (value <= last, value < last) if question.descending else (value >= last, value > last)
        conditions += [from_there, or_(beyond, PLAYERS.c.id > player_id)]
    ordered = value.desc() if question.descending else value.asc()
    chosen = select(PLAYERS.c.id, value.label("value")).where(*conditions)
    return chosen.order_by(ordered, PLAYERS.c.id).limit(question.limit + 1)
