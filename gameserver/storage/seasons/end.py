"""The end of a season on the databases of players: no more scores, and the final standings.

Law: a score belongs to the season of its ledger time. A database is fenced once the season has ended by the database's
own clock, so every write with an earlier time has committed by then. Later writes, whatever their clock says, are
redirected to the next season by `season_floors`, which is written under the fence and moves with the slot. Standings
are read from the databases, not from Redis, each slot exactly once.
"""

import heapq
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import asyncpg
import orjson

from gameserver.rules.boards import Board
from gameserver.rules.errors import DatabaseUnavailable
from gameserver.storage.postgres import patience, statements
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.faults import translated
from gameserver.storage.postgres.locks import FENCES
from gameserver.storage.postgres.sole_locks import fenced_alone
from gameserver.storage.slots.slot_map import Slots

SQL = statements.load(__package__, "end.sql")
CHUNK = 2_000
FENCE_MILLISECONDS = 2_000
PATIENCE_SECONDS = 300.0
NO_LIMIT = 1 << 62
Row = tuple[Any, ...]


@dataclass(slots=True)
class _Source:
    """One database's standings, in their order, read ahead by chunks."""

    cursor: Any
    rows: list[asyncpg.Record] = field(default_factory=list)

    async def next(self) -> asyncpg.Record | None:
        """The next row, None at the end."""
        if not self.rows:
            self.rows = list(reversed(await self.cursor.fetch(CHUNK, timeout=PATIENCE_SECONDS)))
        return self.rows.pop() if self.rows else None


class _Ranked(NamedTuple):
    """A row with its position and rank; `shown_rank` doesn't count banned players and is 0 for them."""

    position: int
    rank: int
    shown_rank: int
    row: asyncpg.Record


class SeasonEnd:
    """Every method raises DatabaseUnavailable."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots

    async def fence(self, board: str, end: int) -> bool:
        """Lets no score into a board's seasons that began before Unix second `end`; False if it must be tried again."""
        covered: set[int] = set()
        for database in self._slots.members("players"):
            covered |= await self._fence(database, board, end)
        return len(covered) == self._slots.size("players")

    async def _fence(self, database: Database, board: str, end: int) -> set[int]:
        """Fences one database; returns the slots for which it wrote the floor."""
        with translated(database.name):
            connection = await database.connect(patience.FENCING)
            try:
                async with fenced_alone(connection, FENCES["players"], FENCE_MILLISECONDS, SQL["floor"]):
                    return {row["slot"] for row in await connection.fetch(SQL["floor"], board, end)}
            finally:
                connection.terminate()

    async def standings(self, board: Board, start: int, limit: int = 0, *, banned: bool) -> AsyncIterator[list[Row]]:
        """The standings of a season in chunks, with fields as in `records.COLUMNS`; all of them, or `limit`.

        With `banned` also banned players, as hidden rows; rewards then go by the rank among those who are shown.
        """
        async with AsyncExitStack() as stack:
            most = limit or board.size or NO_LIMIT
            sources = await self._open(stack, board, start, most, banned=banned)
            chunk: list[Row] = []
            async for ranked in _ranked(board, sources, most):
                chunk.append(_record(board, start, ranked))
                if len(chunk) == CHUNK:
                    yield chunk
                    chunk = []
            yield chunk

    async def _open(
        self, stack: AsyncExitStack, board: Board, start: int, limit: int, *, banned: bool
    ) -> list[_Source]:
        """A snapshot of every database. Raises DatabaseUnavailable unless each slot is owned in exactly one of them."""
        sources, covered = [], list[int]()
        arguments = (board.name, start, _sign(board), limit, banned)
        for database in self._slots.databases("players"):
            with translated(database.name):
                connection = await database.connect(
                    {**patience.UNHURRIED_READS, "statement_timeout": "0", "enable_nestloop": "off"}
                )
                stack.callback(connection.terminate)
                await stack.enter_async_context(connection.transaction(isolation="repeatable_read", readonly=True))
                covered += await connection.fetchval(SQL["owned"])
                cursor = await connection.cursor(SQL["standings"], *arguments, timeout=PATIENCE_SECONDS)
                sources.append(_Source(cursor))
        if sorted(covered) != list(range(self._slots.size("players"))):
            raise DatabaseUnavailable("Some players are being moved.", retry_after=1)
        return sources


@dataclass(slots=True)
class _Ranks:
    """Gives ranks to scores that come in their order, by the board's rule for ties."""

    ties: str
    position: int = 0
    rank: int = 0
    before: int | None = None

    def next(self, score: int) -> int:
        self.position += 1
        if self.ties == "first" or score != self.before:
            self.rank = self.rank + 1 if self.ties == "dense" else self.position
        self.before = score
        return self.rank


async def _ranked(board: Board, sources: Sequence[_Source], limit: int) -> AsyncIterator[_Ranked]:
    """Merges all sources, up to `limit` players who aren't banned."""
    sign = _sign(board)
    heads: list[tuple[tuple[Any, ...], int, asyncpg.Record]] = []

    async def push(number: int) -> None:
        row = await sources[number].next()
        if row is not None:
            key = (sign * row["score"], row["reached_at"], row["player_id"])
            heapq.heappush(heads, (key, number, row))

    # The heap holds the next row of every source.
    for number in range(len(sources)):
        await push(number)
    everyone, shown = _Ranks(board.ties), _Ranks(board.ties)
    while heads and shown.position < limit:
        # Take the best row, and read on from its source.
        _, number, row = heapq.heappop(heads)
        rank = everyone.next(row["score"])
        yield _Ranked(everyone.position, rank, 0 if row["banned"] else shown.next(row["score"]), row)
        await push(number)


def _sign(board: Board) -> int:
    return -1 if board.order == "desc" else 1


def _record(board: Board, start: int, ranked: _Ranked) -> Row:
    score, reached_at, player_id, name, class_name, level, banned = ranked.row
    reward = None if banned else _reward(board, ranked.shown_rank)
    return (board.name, start, ranked.position, ranked.rank, player_id, score, reached_at, name, class_name, level,
            reward, banned)  # fmt: skip


def _reward(board: Board, rank: int) -> str | None:
    """The reward of a rank, as JSON text."""
    for reward in board.rewards:
        if reward.first <= rank <= reward.last:
            return orjson.dumps({"exp": reward.exp, "text": reward.text}).decode()
    return None
