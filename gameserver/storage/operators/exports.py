"""Everyone in a ranking, in its order: one cursor on each database, merged as the reader takes them.

Law: exact, as a page of it is (reports.py): every slot is owned in exactly one of the snapshots, which all stay open
until the end. Memory doesn't grow with the number of players: twice CHUNK rows of each database wait at the most
(the next ones are fetched while some are written), and a reader that stops taking them is cut off by the server after
IDLE_SECONDS. One export runs on a node at a time, over
connections of its own, for LONGEST_SECONDS at the most: an open snapshot holds up vacuum.
"""

import asyncio
import heapq
from bisect import bisect_right
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from itertools import chain, islice
from typing import Any, NamedTuple

import asyncpg
from sqlalchemy import ClauseElement
from sqlalchemy.dialects.postgresql import asyncpg as dialect

from gameserver.rules.errors import Overloaded
from gameserver.storage import tables
from gameserver.storage.operators.parts import SQL, counted
from gameserver.storage.operators.questions import PLAYERS, SEEN, Question
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.driver import DriverConnection
from gameserver.storage.postgres.faults import translated
from gameserver.storage.slots.slot_map import Slots
from gameserver.waiting import cancel_and_wait, next_part

CHUNK = 500
"""Rows of a database that wait to be merged."""
PART = 25
"""Rows that are merged and handed on at a time: an export holds up the node's other work for no longer than these take.
An action goes through the event loop some ten times, and waits for a part each time."""
OPEN_SECONDS, IDLE_SECONDS, LONGEST_SECONDS, CLOSE_SECONDS = 5.0, 30.0, 900.0, 2.0
SETTINGS = {
    "idle_in_transaction_session_timeout": str(int(IDLE_SECONDS * 1000)),
    "statement_timeout": "120000",
    "lock_timeout": "3000",
    "cursor_tuple_fraction": "1",
    "work_mem": "64MB",
}
STATEMENT_SECONDS = 120.0
"""The first rows come once a database has sorted all of its own."""

Rows = Sequence[asyncpg.Record]
_DIALECT = dialect.dialect(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]


class ExportedPlayer(NamedTuple):
    """A player, as exports show it."""

    id: int
    name: str
    class_name: str
    level: int
    hp: int
    exp: int
    version: int
    created_at: datetime
    exp_reached_at: datetime
    banned: bool
    seen_at: datetime


class _Snapshot(NamedTuple):
    """One database's transaction."""

    database: str
    connection: DriverConnection
    slots: Sequence[int]
    leftovers: Sequence[int]


class Exports:
    """One per node."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self._turn = asyncio.Lock()

    async def ranking(self, question: Question) -> AsyncGenerator[Sequence[ExportedPlayer], None]:
        """The ranking's players from its first, or from behind `after`; its limit doesn't count.

        Raises DatabaseUnavailable, and Overloaded while another export runs.
        """
        if self._turn.locked():
            raise Overloaded("This node has an export under way: it makes one at a time.", retry_after=10)
        async with self._turn, asyncio.timeout(LONGEST_SECONDS), AsyncExitStack() as stack:
            snapshots = await self._open(stack)
            streams = [_Ahead(_stream(snapshot, question)) for snapshot in snapshots]
            for stream in streams:
                stack.push_async_callback(stream.close)
            async for rows in _merged(streams, question):
                yield [ExportedPlayer(*row) for row in rows]

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
                query, arguments = driver_form(SQL["open"].bindparams(size=size, by=""))
                row = await connection.fetchrow(query, *arguments)
                yield _Snapshot(database.name, connection, row["slots"], row["leftovers"])
        finally:
            connection.terminate()


async def _stream(snapshot: _Snapshot, question: Question) -> AsyncIterator[Rows]:
    """The rows of one database in the ranking's order, by chunks."""
    columns = (*tables.PLAYER, PLAYERS.c.banned, SEEN.label("seen_at"))
    query, arguments = driver_form(question.select(columns, [counted(snapshot.leftovers)]))
    with translated(snapshot.database):
        cursor = await snapshot.connection.cursor(query, *arguments, timeout=STATEMENT_SECONDS)
        while rows := await cursor.fetch(CHUNK, timeout=STATEMENT_SECONDS):
            yield rows


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


async def _merged(streams: Sequence[_Ahead], question: Question) -> AsyncIterator[Rows]:
    """The rows of all streams in one order: of what is here, those that no stream can still go before."""

    def key(row: asyncpg.Record) -> tuple[int, int]:
        return question.key(row[question.by], row["id"])

    heads: list[Rows] = [await stream.take() for stream in streams]
    while any(heads):
        until = min(key(rows[-1]) for rows in heads if rows)
        cuts = [bisect_right(rows, until, key=key) for rows in heads]
        merged = heapq.merge(*(rows[:cut] for rows, cut in zip(heads, cuts, strict=True)), key=key)
        while part := [*islice(merged, PART)]:
            yield part
            await asyncio.sleep(0)
        rest = [rows[cut:] for rows, cut in zip(heads, cuts, strict=True)]
        heads = [rows or await stream.take() for rows, stream in zip(rest, streams, strict=True)]


def driver_form(statement: ClauseElement) -> tuple[str, list[Any]]:
    """A statement with `$1`…, and its arguments."""
    compiled: Any = statement.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True})
    return str(compiled), [compiled.params[name] for name in compiled.positiontup or ()]
