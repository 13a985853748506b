"""The players who are hidden on past standings, kept between questions: a season may have many, and rarely others.

Law: what is kept is of the very change number that the asker's snapshot has, which whoever hides or shows a player
raises in the same transaction. It is read anew after KEPT_SECONDS all the same: nodes of the previous version don't
raise the number.
"""

import asyncio
import time
from array import array
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple
from weakref import WeakValueDictionary

import asyncpg

from gameserver.rules.errors import DatabaseUnavailable
from gameserver.storage.boards.layout import Contest
from gameserver.storage.postgres import statements
from gameserver.storage.postgres.database import QUERY_SECONDS, Database

SQL = statements.load(__package__, "past.sql")
KEPT_SECONDS = 60.0
MOST_SEASONS = 16
"""Whose hidden players a node keeps: 16 bytes for each player."""


class Hidden(NamedTuple):
    """Of one season. `positions` are those of hidden players, `ranks` those by which everyone behind moves up, both
    ascending; `total` is how many players are shown."""

    positions: Sequence[int]
    ranks: Sequence[int]
    total: int

    def shown_rank(self, rank: int) -> int:
        """The rank of a shown player that has this one among all."""
        return rank - bisect_left(self.ranks, rank)

    def shown_behind(self, position: int) -> int:
        """How many shown players are behind a position among all."""
        behind_all = self.total + len(self.positions) - position
        return behind_all - (len(self.positions) - bisect_right(self.positions, position))


class _Kept(NamedTuple):
    changes: int
    ties: str
    read_at: float
    hidden: Hidden


class _Season(NamedTuple):
    """As a snapshot has it: `changes` is how often players were hidden or shown again."""

    players: int
    changes: int
    ties: str


class HiddenPlayers:
    """One per node."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, int], _Kept] = OrderedDict()
        self._locks = WeakValueDictionary[tuple[str, int], asyncio.Lock]()

    @asynccontextmanager
    async def snapshot(self, database: Database, contest: Contest) -> AsyncIterator[tuple[asyncpg.Connection, Hidden]]:
        """A snapshot of the database, and who is hidden in it. Raises DatabaseUnavailable."""
        key = contest.board.name, contest.season
        async with database.driver_snapshot() as connection:
            known = self._known(key, await _season(connection, contest))
            if known is not None:
                yield connection, known
                return
        # Those who ask at the same time wait for the first, without a snapshot: a transaction mustn't be idle for long.
        async with self._alone(key), database.driver_snapshot() as connection:
            season = await _season(connection, contest)
            yield connection, self._known(key, season) or await self._read(connection, key, season)

    @asynccontextmanager
    async def _alone(self, key: tuple[str, int]) -> AsyncIterator[None]:
        lock = self._locks.setdefault(key, asyncio.Lock())
        try:
            async with asyncio.timeout(QUERY_SECONDS):
                await lock.acquire()
        except TimeoutError:
            raise DatabaseUnavailable("Who is hidden in this season is being read.") from None
        try:
            yield
        finally:
            lock.release()

    async def _read(self, connection: asyncpg.Connection, key: tuple[str, int], season: _Season) -> Hidden:
        players, changes, ties = season
        read_at, (positions, ranks) = time.monotonic(), await connection.fetchrow(SQL["hidden"], *key)
        if ties == "dense":
            (ranks,) = await connection.fetchrow(SQL["emptied"], *key)
        hidden = Hidden(array("q", positions), array("q", ranks), players - len(positions))
        self._kept[key] = _Kept(changes, ties, read_at, hidden)
        self._kept.move_to_end(key)
        if len(self._kept) > MOST_SEASONS:
            self._kept.popitem(last=False)
        return hidden

    def _known(self, key: tuple[str, int], season: _Season) -> Hidden | None:
        kept = self._kept.get(key)
        if kept is None or (kept.changes, kept.ties) != (season.changes, season.ties):
            return None
        if time.monotonic() - kept.read_at > KEPT_SECONDS:
            return None
        self._kept.move_to_end(key)
        return kept.hidden


async def _season(connection: asyncpg.Connection, contest: Contest) -> _Season:
    key = contest.board.name, contest.season
    players, changes, ties = await connection.fetchrow(SQL["season"], *key) or (0, 0, None)
    return _Season(players, changes, ties or contest.board.ties)
