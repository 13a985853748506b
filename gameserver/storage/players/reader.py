"""Coalesced reads of one database: whoever asks while a query is in flight shares the next one.

A read sees every write that was acknowledged before it was asked. A query is bounded by its connection's deadline.
"""

import asyncio
from collections.abc import Iterable, Mapping
from copy import copy
from typing import NamedTuple

import asyncpg
import structlog

from gameserver.rules.errors import DatabaseUnavailable, GameError, Overloaded
from gameserver.rules.player import Player
from gameserver.storage.ids import slot_of
from gameserver.storage.players.batch import SQL
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.faults import translated
from gameserver.storage.postgres.link import HOT_PATH, Link
from gameserver.storage.slots.slot_map import SlotMoved
from gameserver.storage.tables import player_of

log = structlog.get_logger()

LARGEST_QUERY = 1000
LONGEST_QUEUE = 20_000
IN_FLIGHT = 2


class PlayerState(NamedTuple):
    """A player, and the epoch below which his sessions have ended."""

    player: Player
    session_epoch: int


Asked = dict[int, list[asyncio.Future[PlayerState | None]]]
Found = PlayerState | None | SlotMoved | GameError


class Reader:
    """Reads players of one database; `run` works until it is cancelled."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._asked: Asked = {}
        self._waiting = 0
        self._wake = asyncio.Event()
        self._closed = False

    def ask(self, player_id: int) -> asyncio.Future[PlayerState | None]:
        """The player to come, or None; it may raise SlotMoved or Unavailable. Raises Overloaded at once."""
        if self._waiting >= LONGEST_QUEUE or self._closed:
            raise Overloaded("Too many reads are waiting.", retry_after=1)
        future: asyncio.Future[PlayerState | None] = asyncio.get_running_loop().create_future()
        self._asked.setdefault(player_id, []).append(future)
        self._waiting += 1
        self._wake.set()
        return future

    async def run(self) -> None:
        """Works until cancelled; then whatever still waits is answered as overloaded."""
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(IN_FLIGHT):
                    group.create_task(self._work())
        finally:
            self._closed = True
            self._answer(self._asked, dict.fromkeys(self._asked, _stopping()))

    async def _work(self) -> None:
        link = Link(self._database, {**HOT_PATH, "statement_timeout": "2000"})
        try:
            while True:
                await self._wake.wait()
                asked = self._take()
                if asked:
                    await self._work_off(link, asked)
        finally:
            await link.close()

    def _take(self) -> Asked:
        if len(self._asked) <= LARGEST_QUERY:
            asked, self._asked = self._asked, {}
            self._wake.clear()
            return asked
        return {each: self._asked.pop(each) for each in list(self._asked)[:LARGEST_QUERY]}

    async def _work_off(self, link: Link, asked: Asked) -> None:
        found: dict[int, Found] = dict.fromkeys(asked, _stopping())
        try:
            found = await self._query(link, asked)
        finally:
            self._answer(asked, found)

    def _answer(self, asked: Asked, found: Mapping[int, Found]) -> None:
        for player_id, futures in asked.items():
            what = found.get(player_id)
            self._waiting -= len(futures)
            for future in futures:
                if future.done():
                    continue
                if isinstance(what, SlotMoved | GameError):
                    future.set_exception(copy(what))
                else:
                    future.set_result(what)

    async def _query(self, link: Link, ids: Iterable[int]) -> dict[int, Found]:
        wanted = list(ids)
        try:
            with translated(self._database.name):
                connection = await link.open()
                rows = await connection.fetch(SQL["read"], [slot_of(each) for each in wanted], wanted)
        except GameError as error:
            link.drop()
            return dict.fromkeys(wanted, error)
        except asyncpg.PostgresError as error:
            log.exception("a read failed", database=self._database.name)
            link.drop()
            return dict.fromkeys(wanted, DatabaseUnavailable(f"A read failed: {type(error).__name__}.", retry_after=1))
        return {row["wanted_id"]: _found(row) for row in rows}


def _found(row: asyncpg.Record) -> PlayerState | SlotMoved | None:
    if not row["owned"]:
        return SlotMoved()
    return None if row["id"] is None else PlayerState(player_of(row), row["session_epoch"])


def _stopping() -> Overloaded:
    return Overloaded("The node is stopping.", retry_after=1)
