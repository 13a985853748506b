"""Coalesced reads of one server's players.

A read of a primary sees every write that was acknowledged before it was asked. A query is bounded by its connection's
deadline.
"""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

import asyncpg
import structlog

from gameserver.coalescing import Bounds, Coalescer
from gameserver.rules.errors import DatabaseUnavailable, GameError
from gameserver.rules.player import Player
from gameserver.storage.ids import slot_of
from gameserver.storage.players.gathering import SQL
from gameserver.storage.postgres.coalescing import overloaded
from gameserver.storage.postgres.connections import READERS
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.faults import translated
from gameserver.storage.postgres.link import HOT_PATH, Link
from gameserver.storage.postgres.waits import noted
from gameserver.storage.slots.slot_map import SlotMoved
from gameserver.storage.tables import player_of

log = structlog.get_logger()

BOUNDS = Bounds(flights=READERS, together=1000, waiting=20_000, seconds=5.0)


class PlayerState(NamedTuple):
    """A player, and the epoch below which its sessions have ended."""

    player: Player
    session_epoch: int


class Reader:
    """Reads players of one database or replica; `run` owns its connections until it is cancelled."""

    def __init__(self, database: Database, bounds: Bounds = BOUNDS, seconds: float | None = None) -> None:
        """`seconds`: how long a query may take with connecting, if less than what bounds every connection."""
        self._database, self._seconds = database, seconds
        self._coalescer: Coalescer[int, PlayerState | None] = Coalescer(self._query, bounds, overloaded)
        self._links = [Link(database, {**HOT_PATH, "statement_timeout": "2000"}) for _ in range(bounds.flights)]
        self._free = list(self._links)

    def ask(self, player_id: int) -> asyncio.Future[PlayerState | None]:
        """The player to come, or None; it may raise SlotMoved or Unavailable. Raises Overloaded at once."""
        return noted(self._database.name, self._coalescer.ask(player_id))

    async def run(self) -> None:
        """Waits until it is cancelled; then what still waits is refused as overloaded, and the connections close."""
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await self._coalescer.close()
            for link in self._links:
                await link.close()

    async def _query(self, ids: Sequence[int]) -> Sequence[PlayerState | Exception | None]:
        link = self._free.pop()
        try:
            rows = await self._rows(link, list(dict.fromkeys(ids)))
        finally:
            self._free.append(link)
        outcomes = {row["wanted_id"]: _outcome(row) for row in rows}
        return [outcomes.get(player_id) for player_id in ids]

    async def _rows(self, link: Link, ids: list[int]) -> Sequence[asyncpg.Record]:
        """Raises DatabaseUnavailable; the connection is dropped then."""
        try:
            with translated(self._database.name):
                async with asyncio.timeout(self._seconds):
                    return await self._fetched(link, ids)
        except GameError:
            link.drop()
            raise
        except asyncpg.PostgresError as error:
            log.exception("a read failed", database=self._database.name)
            link.drop()
            raise DatabaseUnavailable(f"A read failed: {type(error).__name__}.", retry_after=1) from error

    async def _fetched(self, link: Link, ids: list[int]) -> Sequence[asyncpg.Record]:
        connection = await link.open()
        rows: Sequence[asyncpg.Record] = await connection.fetch(SQL["read"], [slot_of(id_) for id_ in ids], ids)
        return rows


def _outcome(row: asyncpg.Record) -> PlayerState | SlotMoved | None:
    if not row["owned"]:
        return SlotMoved()
    return None if row["id"] is None else PlayerState(player_of(row), row["session_epoch"])
