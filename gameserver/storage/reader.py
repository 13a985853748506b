"""Coalesced reads of one database: whoever asks while a query is in flight shares the next one.

A read sees every write that was acknowledged before it was asked. A query is bounded by its connection's deadline.
"""

import asyncio
from collections.abc import Iterable

from gameserver.rules.errors import GameError, Overloaded
from gameserver.rules.player import Player
from gameserver.storage.batch import SQL, player_of
from gameserver.storage.databases import HOT_PATH, Database, Link, translated
from gameserver.storage.ids import slot_of
from gameserver.storage.slots import SlotMoved

LARGEST_QUERY = 1000
LONGEST_QUEUE = 20_000
IN_FLIGHT = 2

Found = Player | None | SlotMoved | GameError


class Reader:
    """Reads players of one database; `run` works until it is cancelled."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._asked: dict[int, asyncio.Future[Player | None]] = {}
        self._wake = asyncio.Event()

    async def read(self, player_id: int) -> Player | None:
        """The player, or None. Raises SlotMoved, Overloaded, DatabaseUnavailable."""
        future = self._asked.get(player_id)
        if future is None:
            if len(self._asked) >= LONGEST_QUEUE:
                raise Overloaded("Too many reads are waiting.", retry_after=1)
            future = self._asked[player_id] = asyncio.get_running_loop().create_future()
            self._wake.set()
        return await asyncio.shield(future)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(IN_FLIGHT):
                group.create_task(self._work())

    async def _work(self) -> None:
        link = Link(self._database, {**HOT_PATH, "statement_timeout": "2000"})
        try:
            while True:
                await self._wake.wait()
                asked = self._take()
                if asked:
                    await self._answer(link, asked)
        finally:
            await link.close()

    def _take(self) -> dict[int, asyncio.Future[Player | None]]:
        if len(self._asked) <= LARGEST_QUERY:
            asked, self._asked = self._asked, {}
            self._wake.clear()
            return asked
        return {each: self._asked.pop(each) for each in list(self._asked)[:LARGEST_QUERY]}

    async def _answer(self, link: Link, asked: dict[int, asyncio.Future[Player | None]]) -> None:
        found = await self._query(link, asked)
        for player_id, future in asked.items():
            what = found.get(player_id)
            if future.done():
                continue
            if isinstance(what, SlotMoved | GameError):
                future.set_exception(what)
                future.exception()
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
        return {
            row["wanted_id"]: SlotMoved() if not row["owned"] else None if row["id"] is None else player_of(row)
            for row in rows
        }
