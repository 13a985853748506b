"""The end of a season on the databases of players: no more scores, and the standings that are then for good.

Law: a score belongs to the season of its ledger time. A database is fenced after the season's end by its own clock,
so every write that took an earlier time has committed by then; whatever comes later, whatever its clock says, obeys
the floor that is written under the fence, which moves with its slot. The standings are read from the databases, not
from Redis, each slot exactly once.
"""

import heapq
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import orjson

from gameserver.rules.boards import Board
from gameserver.rules.errors import DatabaseUnavailable
from gameserver.storage.postgres import statements
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.faults import translated
from gameserver.storage.postgres.locks import FENCES
from gameserver.storage.slots.slot_map import Slots

SQL = statements.load(__package__, "end.sql")
CHUNK = 2_000
FENCE_MILLISECONDS = 2_000
PATIENCE_SECONDS = 300.0
EVERYBODY = 1 << 62
Row = tuple[Any, ...]


@dataclass(slots=True)
class _Source:
    """One database's standings, read ahead."""

    cursor: Any
    rows: list[asyncpg.Record] = field(default_factory=list)

    async def next(self) -> asyncpg.Record | None:
        if not self.rows:
            self.rows = list(reversed(await self.cursor.fetch(CHUNK, timeout=PATIENCE_SECONDS)))
        return self.rows.pop() if self.rows else None


class SeasonEnd:
    """Every method raises DatabaseUnavailable."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots

    async def fence(self, board: str, end: int) -> bool:
        """Lets no score into seasons of a board that began before `end`; False if it has to be tried again."""
        covered: set[int] = set()
        for database in self._slots.members("players"):
            covered |= await self._fence(database, board, end)
        return len(covered) == self._slots.size("players")

    async def _fence(self, database: Database, board: str, end: int) -> set[int]:
        with translated(database.name):
            connection = await database.connect(
                {"lock_timeout": str(FENCE_MILLISECONDS), "idle_in_transaction_session_timeout": "1000"}
            )
            try:
                async with connection.transaction():
                    await connection.execute(SQL["fence"], FENCES["players"])
                    return {row["slot"] for row in await connection.fetch(SQL["floor"], board, end)}
            finally:
                connection.terminate()

    async def standings(self, board: Board, start: int, limit: int = 0, *, banned: bool) -> AsyncIterator[list[Row]]:
        """The standings of a season, chunk by chunk, in the order of SeasonBook's columns; all, or so many.

        With `banned` also those who are, hidden: whoever is behind one has the reward of the rank that is shown of him.
        """
        async with AsyncExitStack() as stack:
            most = limit or board.size or EVERYBODY
            sources = await self._open(stack, board, start, most, banned=banned)
            part: list[Row] = []
            async for position, rank, shown, row in _ranked(board, sources, most):
                score, reached_at, player_id, name, class_name, level, hidden = row
                part.append(
                    (board.name, start, position, rank, player_id, score, reached_at, name, class_name, level,
                     None if hidden else _reward(board, shown), hidden)
                )  # fmt: skip
                if len(part) == CHUNK:
                    yield part
                    part = []
            yield part

    async def _open(
        self, stack: AsyncExitStack, board: Board, start: int, limit: int, *, banned: bool
    ) -> list[_Source]:
        sources, covered = [], list[int]()
        sign = -1 if board.order == "desc" else 1
        for database in self._slots.databases("players"):
            with translated(database.name):
                connection = await database.connect({"statement_timeout": "0", "enable_nestloop": "off"})
                stack.callback(connection.terminate)
                await stack.enter_async_context(connection.transaction(isolation="repeatable_read", readonly=True))
                covered += await connection.fetchval(SQL["owned"])
                sources.append(
                    _Source(
                        await connection.cursor(
                            SQL["standings"], board.name, start, sign, limit, banned, timeout=PATIENCE_SECONDS
                        )
                    )
                )
        if sorted(covered) != list(range(self._slots.size("players"))):
            raise DatabaseUnavailable("Some players are being moved.", retry_after=1)
        return sources


@dataclass(slots=True)
class _Ranks:
    """Ranks by the ties of a board, of scores in their order."""

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


async def _ranked(
    board: Board, sources: Sequence[_Source], limit: int
) -> AsyncIterator[tuple[int, int, int, asyncpg.Record]]:
    """Position, rank, rank among those who aren't banned and row, over all sources, up to so many who aren't banned."""
    sign = -1 if board.order == "desc" else 1
    heads: list[tuple[tuple[Any, ...], int, asyncpg.Record]] = []

    async def push(number: int) -> None:
        row = await sources[number].next()
        if row is not None:
            key = (sign * row["score"], row["reached_at"], row["player_id"])
            heapq.heappush(heads, (key, number, row))

    for number in range(len(sources)):
        await push(number)
    everybody, shown = _Ranks(board.ties), _Ranks(board.ties)
    while heads and shown.position < limit:
        _, number, row = heapq.heappop(heads)
        rank = everybody.next(row["score"])
        yield everybody.position, rank, 0 if row["banned"] else shown.next(row["score"]), row
        await push(number)


def _reward(board: Board, rank: int) -> str | None:
    found = next((each for each in board.rewards if each.first <= rank <= each.last), None)
    return None if found is None else orjson.dumps({"exp": found.exp, "text": found.text}).decode()
