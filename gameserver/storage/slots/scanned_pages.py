"""Pages of rows of which a player doesn't see all: what lies between those that it sees is looked at, within a bound.

Law: a page costs at most SCANNED rows, whatever a player has done: it may send more commands that are refused than a
statement could pass over. So a page may have fewer rows than were asked for, and still a cursor behind it.

The statement's columns are those of `slots.pages`, behind them `id`, by which rows are in order, `shown` (whether the
player sees the row), `is_last` (whether it is the last one that is looked at), and then those of the page.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

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

    def __init__(self, slots: Slots, statement: str, row: Callable[..., RowT]) -> None:
        """`row` makes one of its id and the values of a page's columns."""

        def looked_at(id_: str, shown: bool, is_last: bool, *columns: object) -> ScannedRow[RowT]:  # noqa: FBT001
            return ScannedRow(id_, is_last, row(id_, *columns) if shown else None)

        self._pages = Pages(slots, statement, looked_at)

    async def of(self, player_id: int, limit: int, before: str | None) -> Scanned[RowT]:
        """At most `limit` rows behind an id, or the newest ones.

        Raises PlayerNotFound for an id that no player can have, DatabaseUnavailable, Overloaded.
        """
        return scanned_page(await self._pages.of(player_id, limit + 1, before or NEWEST, SCANNED), limit)


def scanned_page(found: Sequence[ScannedRow[RowT]], limit: int) -> Scanned[RowT]:
    """The page of what a statement has found, which was asked for one row more than `limit`."""
    shown = [(row.id, row.row) for row in found if row.row is not None]
    rows = [row for _, row in shown[:limit]]
    if len(shown) > limit:
        return Scanned(rows, shown[limit - 1][0])
    return Scanned(rows, found[-1].id if found and found[-1].is_last else None)
