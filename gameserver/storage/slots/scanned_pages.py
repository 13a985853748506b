"""Pages of rows of which a player doesn't see all: what lies between those that it sees is looked at, within a bound.

Law: a page costs at most SCANNED rows, whatever a player has done: it may send more commands that are refused than a
statement could pass over. So a page may have fewer rows than were asked for, and still a cursor behind it.

The database writes the rows of a page as one JSON array, since a value that is read by itself costs a node more than
it costs the database to write it. The statement's columns are those of `slots.pages`, behind them `page` (the array of
what the player sees, null without any; `id` of each element is that by which rows are in order), and `last` (the id of
the last row that is looked at, null if there are no more). It has one row for each question.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

import orjson

from gameserver.storage.slots.pages import Pages
from gameserver.storage.slots.slot_map import Slots

RowT = TypeVar("RowT")
SCANNED = 1000
"""Rows that a page looks at, at the most."""
NEWEST = "ffffffff-ffff-ffff-ffff-ffffffffffff"
"""Above every id: a page behind it is the first one."""


@dataclass(frozen=True, slots=True)
class Scanned(Generic[RowT]):
    """Rows from the newest; the next page is behind `cursor`, None at the end."""

    rows: Sequence[RowT]
    cursor: str | None


class ScannedRow(NamedTuple, Generic[RowT]):
    """A row that was looked at."""

    id: str
    is_last: bool
    row: RowT | None
    """None for what isn't shown."""


class ScannedPages(Generic[RowT]):
    """Of one kind; one per node."""

    def __init__(self, slots: Slots, statement: str, row: Callable[[Mapping[str, Any]], RowT]) -> None:
        """`row` makes one of an element of a page's array."""
        self._pages: Pages[tuple[str | None, str | None]] = Pages(slots, statement, lambda *columns: columns)
        self._row = row

    async def of(self, player_id: int, limit: int, before: str | None) -> Scanned[RowT]:
        """At most `limit` rows behind an id, or the newest ones.

        Raises PlayerNotFound for an id that no player can have, DatabaseUnavailable, Overloaded.
        """
        ((page, last),) = await self._pages.of(player_id, limit + 1, before or NEWEST, SCANNED)
        found = [] if page is None else orjson.loads(page)
        rows = [self._row(element) for element in found[:limit]]
        return Scanned(rows, found[limit - 1]["id"] if len(found) > limit else last)


def scanned_page(found: Sequence[ScannedRow[RowT]], limit: int) -> Scanned[RowT]:
    """The page of what a statement has found, which was asked for one row more than `limit`."""
    shown = [(row.id, row.row) for row in found if row.row is not None]
    rows = [row for _, row in shown[:limit]]
    if len(shown) > limit:
        return Scanned(rows, shown[limit - 1][0])
    return Scanned(rows, found[-1].id if found and found[-1].is_last else None)
