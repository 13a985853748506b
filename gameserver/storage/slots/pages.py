"""Pages of what belongs to players, asked by many at about the same time: one statement reads those of all.

Law: a statement takes only questions that were asked before it began, on the primary. It says of each slot, as it saw
it at the same moment, whether the database owns it; what it doesn't own is asked of the next owner. The statement's
rows have the columns `number` (of the question, from 1), `owned`, `found` (whether the row is more than these), and
then those of the page, in its order. Its arguments are arrays with one element for each question, slots first.
"""

import time
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from gameserver.coalescing import Bounds
from gameserver.rules.errors import PlayerNotFound
from gameserver.storage.ids import slot_of
from gameserver.storage.postgres.coalescing import DatabaseCoalescer
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.reading import fetch
from gameserver.storage.postgres.shares import Purpose
from gameserver.storage.slots.slot_map import MOVED_SECONDS, SlotMoved, Slots

RowT = TypeVar("RowT")
BOUNDS = Bounds(flights=1, together=50, waiting=5_000, seconds=5.0)
"""A page has at most some hundred rows, so an answer at most some thousand."""


class Pages(Generic[RowT]):
    """Of one kind; one per node."""

    def __init__(self, slots: Slots, statement: str, row: Callable[..., RowT]) -> None:
        """`row` makes one of the values of a page's columns."""
        self._slots, self._statement, self._row = slots, statement, row
        self._asking = DatabaseCoalescer(self._ask, Purpose.READS, BOUNDS)

    async def of(self, player_id: int, *arguments: object) -> list[RowT]:
        """A player's page. Raises PlayerNotFound for an id that no player can have, DatabaseUnavailable, Overloaded."""
        slot, deadline = slot_of(player_id), time.monotonic() + MOVED_SECONDS
        if slot >= self._slots.size("players"):
            raise PlayerNotFound("There is no such player.")
        while True:
            try:
                return await self._asking.ask(self._slots.owner("players", slot), (slot, player_id, *arguments))
            except SlotMoved:
                await self._slots.moved(deadline)

    async def _ask(self, database: Database, questions: Sequence[tuple[object, ...]]) -> list[list[RowT] | Exception]:
        pages: list[list[RowT] | Exception] = [[] for _ in questions]
        for number, owned, found, *columns in await fetch(
            database, self._statement, *map(list, zip(*questions, strict=True))
        ):
            page = pages[number - 1]
            if not owned:
                pages[number - 1] = SlotMoved()
            elif found and isinstance(page, list):
                page.append(self._row(*columns))
        return pages
