"""A player's history, read from the ledger newest first."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from gameserver.storage.postgres import statements
from gameserver.storage.slots.scanned_pages import Scanned, ScannedPages
from gameserver.storage.slots.slot_map import Slots

SQL = statements.load(__package__, "history.sql")


class HistoryEntry(NamedTuple):
    """One command in a player's history: `outcome` is its first answer."""

    command_id: str
    action: str
    args: dict[str, Any]
    outcome: dict[str, Any]
    version: int
    at: datetime


class History:
    """Reads the ledgers of the databases that own the players, and what is kept of dropped partitions."""

    def __init__(self, slots: Slots) -> None:
        self._pages = ScannedPages(slots, SQL["page"], _entry)

    async def page(self, player_id: int, limit: int, before: str | None) -> Scanned[HistoryEntry]:
        """At most `limit` commands that took effect, from the newest id; `before` is the previous page's cursor.

        Raises PlayerNotFound for an id that no player can have, DatabaseUnavailable, Overloaded.
        """
        return await self._pages.of(player_id, limit, before)


def _entry(row: Mapping[str, Any]) -> HistoryEntry:
    return HistoryEntry(
        row["id"], row["action"], row["args"], row["outcome"], row["version"], datetime.fromisoformat(row["at"])
    )
