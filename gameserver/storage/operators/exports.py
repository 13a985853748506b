"""Everyone in a ranking, in its order: one cursor on each database, merged as the reader takes them.

Law: databases write the lines themselves, when they are fetched, and the node only merges them: to read values into
Python and to write them as text there was most of an export's work, all in the node's event loop.
Exact, as a page of it is (reports.py): every slot is owned in exactly one of the snapshots, which all stay open
until the end. Memory doesn't grow with the number of players: twice CHUNK lines of each database wait at the most
(the next ones are fetched while some are written), and a reader that stops taking them is cut off by the server after
IDLE_SECONDS. One export runs on a node at a time, over connections of its own, for LONGEST_SECONDS at the most: an open
snapshot holds up vacuum.
"""

import asyncio
from bisect import bisect_right
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple

import asyncpg
from sqlalchemy import (
    BigInteger,
    ClauseElement,
    ColumnElement,
    Select,
    TextClause,
    cast,
    extract,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql import asyncpg as dialect

from gameserver.exports import Format
from gameserver.rules.errors import Overloaded
from gameserver.storage import tables
from gameserver.storage.operators.common_names import for_all
from gameserver.storage.operators.parts import SQL, counted
from gameserver.storage.operators.questions import MOMENTS, PLAYERS, SEEN, Question
from gameserver.storage.postgres import statements
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.driver import DriverConnection
from gameserver.storage.postgres.faults import translated
from gameserver.storage.postgres.patience import UNHURRIED_READS
from gameserver.storage.slots.slot_map import Slots
from gameserver.waiting import cancel_and_wait, next_part

LINES = statements.load(__package__, "exports.sql")
COLUMNS = (
    "id",
    "name",
    "class",
    "level",
    "hp",
    "exp",
    "version",
    "created_at",
    "exp_reached_at",
    "banned",
    "seen_at",
)
"""What a line has, in this order."""
CHUNK = 250
"""Lines of a database that wait to be merged. As many of each are merged at a time, which takes half a millisecond: an
action goes through the event loop some ten times, and may wait for that each time."""
LINES_A_SECOND = 60_000
"""However fast the machine is: the rest of it is for play."""
OPEN_SECONDS, IDLE_SECONDS, LONGEST_SECONDS, CLOSE_SECONDS = 5.0, 30.0, 900.0, 2.0
STATEMENT_SECONDS = 120.0
"""The first rows come once a database has sorted all of its own."""
SETTINGS = {
    **UNHURRIED_READS,
    "statement_timeout": str(int(STATEMENT_SECONDS * 1000)),
    "lock_timeout": "3000",
    "cursor_tuple_fraction": "1",
    "work_mem": "64MB",
    "max_parallel_workers_per_gather": "0",
}
IDLE_ONCE_SORTED = f"set idle_in_transaction_session_timeout = {int(IDLE_SECONDS * 1000)}"
"""Before, a database waits until the others have sorted, too."""

Rows = Sequence[asyncpg.Record]
_PLACE = itemgetter("place", "id")
"""What sorts the lines of all databases as each database has sorted its own."""
_DIALECT = dialect.dialect(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]


class _Snapshot(NamedTuple):
    """One database's transaction."""

    database: str
    connection: DriverConnection
    slots: Sequence[int]
    leftovers: Sequence[int]

    async def ask(self, statement: TextClause, **arguments: object) -> Sequence[Any]:
        query, values = driver_form(statement.bindparams(**arguments))
        rows: Sequence[Any] = await self.connection.fetch(query, *values)
        return rows


class _Sorting(NamedTuple):
    """What the databases do first: one after another, for play needs a processor meanwhile."""

    turn: asyncio.Lock
    is_over: asyncio.Event


class Exports:
    """One per node."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self._turn, self._look = asyncio.Lock(), asyncio.Lock()

    async def require_open(self) -> None:
        """Raises what would keep `ranking` from its first line, without sorting anything."""
        self._require_turn()
        async with self._look, asyncio.timeout(LONGEST_SECONDS), AsyncExitStack() as stack:
            await self._open(stack)

    async def ranking(self, question: Question, kind: Format) -> AsyncGenerator[Sequence[str], None]:
        """The ranking's players from its first, or from behind `after`, a line each; its limit doesn't count.

        Raises DatabaseUnavailable, and Overloaded while another export runs.
        """
        self._require_turn()
        async with self._turn, asyncio.timeout(LONGEST_SECONDS), AsyncExitStack() as stack:
            snapshots = await self._open(stack)
            sorting = _Sorting(asyncio.Lock(), asyncio.Event())
            streams = [_Ahead(_stream(snapshot, question, kind, sorting)) for snapshot in snapshots]
            for stream in streams:
                stack.push_async_callback(stream.close)
            pace: _Pace | None = None
            async for lines in _merged(streams, sorting.is_over):
                yield lines
                pace = pace or _Pace()  # the first lines waited for the databases to sort
                await pace.rest(len(lines))

    def _require_turn(self) -> None:
        if self._turn.locked():
            raise Overloaded("This node has an export under way: it makes one at a time.", retry_after=10)

    async def _open(self, stack: AsyncExitStack) -> list[_Snapshot]:
        """A snapshot of every database, in which together each slot has exactly one owner."""
        every_slot = [*range(self._slots.size("players"))]
        deadline = asyncio.get_running_loop().time() + OPEN_SECONDS
        while True:
            attempt = await stack.enter_async_context(AsyncExitStack())
            databases = self._slots.databases("players")
            snapshots = [await attempt.enter_async_context(_snapshot(each, len(every_slot))) for each in databases]
            if sorted(chain(*(snapshot.slots for snapshot in snapshots))) == every_slot:
                return snapshots
            await attempt.aclose()
            await self._slots.moved(deadline)


@asynccontextmanager
async def _snapshot(database: Database, size: int) -> AsyncIterator[_Snapshot]:
    with translated(database.name):
        connection = await database.connect(SETTINGS)
        try:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                opening = _Snapshot(database.name, connection, (), ())
                (row,) = await opening.ask(SQL["open"], size=size, by="")
                yield opening._replace(slots=row["slots"], leftovers=row["leftovers"])
        finally:
            connection.terminate()


async def _stream(snapshot: _Snapshot, question: Question, kind: Format, sorting: _Sorting) -> AsyncIterator[Rows]:
    """The lines of one database in the ranking's order, by chunks: `place` and `id` to sort them by, and `line`."""
    with translated(snapshot.database):
        question = replace(question, segment=await for_all(snapshot.ask, question.segment))
        query, arguments = driver_form(lines_of(question, [counted(snapshot.leftovers)], kind))
        cursor = await snapshot.connection.cursor(query, *arguments, timeout=STATEMENT_SECONDS)
        async with sorting.turn:
            first = await cursor.fetch(CHUNK, timeout=STATEMENT_SECONDS)
        yield first
        await sorting.is_over.wait()
        await snapshot.connection.execute(IDLE_ONCE_SORTED)
        while rows := await cursor.fetch(CHUNK, timeout=STATEMENT_SECONDS):
            yield rows


def lines_of(question: Question, conditions: Sequence[ColumnElement[bool]], kind: Format) -> Select[Any]:
    """The inner query sorts; a line is written when it is fetched, so that no sort has to carry it."""
    columns = (*tables.PLAYER, PLAYERS.c.banned, SEEN.label("seen_at"))
    players = question.select(columns, conditions).subquery("p")
    value = players.c[question.by]
    number = cast(extract("epoch", value) * 1_000_000 if question.by in MOMENTS else value, BigInteger)
    place = (-number if question.descending else number).label("place")
    ordered = value.desc() if question.descending else value.asc()
    return select(place, players.c.id, literal_column(LINES[kind]).label("line")).order_by(ordered, players.c.id)


class _Pace:
    """Makes an export wait while it is faster than LINES_A_SECOND, and after each part as long as that took, or longer.

    So it takes no more than half of what a busy machine would give it.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._rested_at = self._free_at = self._loop.time()

    async def rest(self, lines: int) -> None:
        """After a part of so many lines was written."""
        now = self._loop.time()
        self._free_at = max(now, self._free_at) + lines / LINES_A_SECOND
        await asyncio.sleep(max(self._free_at - now, now - self._rested_at))
        self._rested_at = self._loop.time()


class _Ahead:
    """A stream whose next chunk is fetched while the one before is used; the first one from the beginning."""

    def __init__(self, stream: AsyncIterator[Rows]) -> None:
        self._stream = stream
        self._next = asyncio.ensure_future(next_part(stream))

    async def take(self) -> Rows:
        """The next chunk; an empty one at the end, again and again."""
        rows = await self._next
        if rows:
            self._next = asyncio.ensure_future(next_part(self._stream))
        return rows

    async def close(self) -> None:
        """Before its connection ends. What became of a chunk that nobody takes doesn't matter."""
        await cancel_and_wait([self._next], CLOSE_SECONDS)
        if self._next.done() and not self._next.cancelled():
            self._next.exception()


async def _merged(streams: Sequence[_Ahead], all_sorted: asyncio.Event) -> AsyncIterator[Sequence[str]]:
    """The lines of all streams in one order: of what is here, those that no stream can still go before."""
    heads: list[Rows] = [await stream.take() for stream in streams]
    all_sorted.set()
    while any(heads):
        until = min(_PLACE(rows[-1]) for rows in heads if rows)
        cuts = [bisect_right(rows, until, key=_PLACE) for rows in heads]
        here = chain(*(rows[:cut] for rows, cut in zip(heads, cuts, strict=True)))
        yield [row["line"] for row in sorted(here, key=_PLACE)]
        rest = [rows[cut:] for rows, cut in zip(heads, cuts, strict=True)]
        heads = [rows or await stream.take() for rows, stream in zip(rest, streams, strict=True)]


def driver_form(statement: ClauseElement) -> tuple[str, list[Any]]:
    """A statement with `$1`…, and its arguments."""
    compiled: Any = statement.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True})
    return str(compiled), [compiled.params[name] for name in compiled.positiontup or ()]
