"""The end of a season on the databases of players: no more scores, and the final standings.

Law: a score belongs to the season of its ledger time. A database is fenced once the season has ended by the database's
own clock, so every write with an earlier time has committed by then. Later writes, whatever their clock says, are
redirected to the next season by `season_floors`, which is written under the fence and moves with the slot. Standings
are read from the databases, not from Redis, each slot exactly once. Postgres ends what is asked for them at the same
time at which it is given up: a statement goes on when its connection has ended.
"""

import asyncio
import heapq
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import asyncpg
import orjson

from gameserver.rules.boards import Board, Reward
from gameserver.rules.errors import DatabaseUnavailable
from gameserver.storage.postgres import patience, statements
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.driver import LEAVE_A_MARK
from gameserver.storage.postgres.faults import translated
from gameserver.storage.postgres.locks import FENCES
from gameserver.storage.postgres.sole_locks import fenced_alone
from gameserver.storage.slots.slot_map import Slots
from gameserver.waiting import all_ended

SQL = statements.load(__package__, "end.sql")
CHUNK = 2_000
FENCE_MILLISECONDS = 2_000
PATIENCE_SECONDS = 300.0
"""How long the count of a season waits for a statement."""
NO_LIMIT = 1 << 62
RANK = 3
"""Where a row has its rank."""
Row = tuple[Any, ...]


@dataclass(slots=True)
class _Source:
    """One database's standings, in their order, read ahead by chunks; each is waited for `seconds`."""

    database: str
    cursor: Any
    seconds: float
    rows: list[asyncpg.Record] = field(default_factory=list)

    async def next(self) -> asyncpg.Record | None:
        """The next row, None at the end. Raises DatabaseUnavailable."""
        if not self.rows:
            with translated(self.database):
                self.rows = list(reversed(await self.cursor.fetch(CHUNK, timeout=self.seconds)))
        return self.rows.pop() if self.rows else None


class _Wanted(NamedTuple):
    """The best `most` players of a season and, with `banned`, the banned ones between; `seconds` for each statement."""

    board: Board
    start: int
    most: int
    banned: bool
    seconds: float

    def settings(self) -> dict[str, str]:
        """Of the connections to read them."""
        milliseconds = str(max(1, int(self.seconds * 1000)))
        own = {**patience.UNHURRIED_READS, "statement_timeout": milliseconds, "enable_nestloop": "off"}
        return own if self.banned else {**own, **dict.fromkeys(patience.UNHURRIED_READS, milliseconds)}


class _Ranked(NamedTuple):
    """A row with its position and rank; `shown_rank` doesn't count banned players and is 0 for them."""

    position: int
    rank: int
    shown_rank: int
    row: asyncpg.Record


class Foretold(NamedTuple):
    """The best of a running season, with fields as in `records.COLUMNS`; and who is rewarded in all, with what EXP."""

    best: list[Row]
    players: int
    exp: int


class SeasonEnd:
    """Every method raises DatabaseUnavailable."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots

    async def fence(self, board: str, end: int) -> bool:
        """Lets no score into a board's seasons that began before Unix second `end`; False if it must be tried again.

        Raises DatabaseUnavailable once all databases that answer are fenced.
        """
        members = self._slots.members("players")
        covered = set[int]().union(*await all_ended(self._fence(database, board, end) for database in members))
        return len(covered) == self._slots.size("players")

    async def _fence(self, database: Database, board: str, end: int) -> set[int]:
        """Fences one database, unless that was done before; returns its slots that have the floor."""
        with translated(database.name):
            connection = await database.connect(patience.FENCING)
            try:
                floors = await connection.fetch(SQL["floors"], board, end)
                if any(floor["over"] and not floor["floored"] for floor in floors):
                    foreseen = SQL["floor"], SQL["floors"]
                    async with fenced_alone(connection, FENCES["players"], FENCE_MILLISECONDS, *foreseen):
                        await connection.fetch(SQL["floor"], board, end)
                        floors = await connection.fetch(SQL["floors"], board, end)
                elif any(floor["floored"] for floor in floors):
                    # What has set the floors may have committed with its wait for the standby cancelled.
                    await connection.execute(f"select {LEAVE_A_MARK}")
                return {floor["slot"] for floor in floors if floor["floored"]}
            finally:
                connection.terminate()

    def standings(self, board: Board, start: int) -> AsyncIterator[list[Row]]:
        """The standings of a season in chunks, with fields as in `records.COLUMNS`.

        Banned players are hidden rows; rewards go by the rank among those who are shown.
        """
        return self._read(_Wanted(board, start, board.size or NO_LIMIT, banned=True, seconds=PATIENCE_SECONDS))

    async def preview(self, board: Board, start: int, limit: int, deadline: float) -> Foretold:
        """The best `limit` players who aren't banned, and the rewards of all.

        It reads as far as rewards go. At `deadline`, of the event loop's clock, it is given up.
        """
        last = max((reward.last for reward in board.rewards), default=0)
        most = (
            max(limit, last) if board.ties == "first" else NO_LIMIT
        )  # of a rank that is shared, there are more players
        seconds = deadline - asyncio.get_running_loop().time()
        wanted = _Wanted(board, start, min(most, board.size or NO_LIMIT), banned=False, seconds=seconds)
        best, players, exp = list[Row](), 0, 0
        try:
            async with asyncio.timeout_at(deadline), aclosing(self._read(wanted)) as chunks:
                async for chunk in chunks:
                    best += chunk[: limit - len(best)]
                    rewards = [reward for row in chunk if (reward := reward_of(board, row[RANK])) is not None]
                    players, exp = players + len(rewards), exp + sum(reward.exp for reward in rewards)
                    if not chunk or (chunk[-1][RANK] > last and len(best) == limit):
                        break
                return Foretold(best, players, exp)
        except TimeoutError:
            raise DatabaseUnavailable("The databases are too slow for a preview.", retry_after=1) from None

    async def _read(self, wanted: _Wanted) -> AsyncGenerator[list[Row], None]:
        async with AsyncExitStack() as stack:
            sources = await self._open(stack, wanted)
            chunk: list[Row] = []
            async for ranked in _ranked(wanted.board, sources, wanted.most):
                chunk.append(_record(wanted.board, wanted.start, ranked))
                if len(chunk) == CHUNK:
                    yield chunk
                    chunk = []
            yield chunk

    async def _open(self, stack: AsyncExitStack, wanted: _Wanted) -> list[_Source]:
        """A snapshot of every database. Raises DatabaseUnavailable unless each slot is owned in exactly one of them."""
        sources, covered = [], list[int]()
        board, seconds = wanted.board, wanted.seconds
        arguments = (board.name, wanted.start, _sign(board), wanted.most, wanted.banned)
        for database in self._slots.databases("players"):
            with translated(database.name):
                connection = await database.connect(wanted.settings())
                stack.callback(connection.terminate)
                # It ends with its connection: to end it before would wait for a database that is silent.
                await connection.transaction(isolation="repeatable_read", readonly=True).start()
                covered += await connection.fetchval(SQL["owned"])
                cursor = await connection.cursor(SQL["standings"], *arguments, timeout=seconds)
                sources.append(_Source(database.name, cursor, seconds))
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
    """The reward of a rank, as JSON text, with that rank: a letter of any version of the product then names it."""
    if (reward := reward_of(board, rank)) is None:
        return None
    return orjson.dumps({"exp": reward.exp, "text": reward.text, "rank": rank}).decode()


def reward_of(board: Board, rank: int) -> Reward | None:
    """What players of this rank get when a season of the board ends."""
    return next((reward for reward in board.rewards if reward.first <= rank <= reward.last), None)
