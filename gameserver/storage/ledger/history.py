"""A player's history, read from the ledger newest first."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, Select, Table, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gameserver.storage import tables
from gameserver.storage.ids import slot_of
from gameserver.storage.slots.owner import on_owner
from gameserver.storage.slots.slot_map import Slots

LEDGER = tables.ledger


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One command in a player's history: `outcome` is its first answer."""

    command_id: str
    action: str
    args: dict[str, Any]
    outcome: dict[str, Any]
    version: int
    at: datetime


def entry_of(row: RowMapping) -> HistoryEntry:
    """An entry of a ledger row."""
    return HistoryEntry(str(row["command_id"]), row["action"], row["args"], row["outcome"], row["version"], row["at"])


def _newest(table: Table, player_id: int, limit: int, before: str | None) -> Select[Any]:
    chosen = select(table).where(table.c.slot == slot_of(player_id), table.c.player_id == player_id, table.c.seed >= 0)
    if before is not None:
        chosen = chosen.where(table.c.command_id < before)
    return chosen.order_by(table.c.command_id.desc()).limit(limit)


class History:
    """Reads the ledgers of the databases that own the players, and what is kept of dropped partitions."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots

    async def page(self, player_id: int, limit: int, before: str | None) -> list[HistoryEntry]:
        """At most `limit` commands that took effect, from the newest id; `before` is the last one of the previous page.

        Raises PlayerNotFound for an id that no player can have, DatabaseUnavailable.
        """

        async def query(connection: AsyncConnection) -> list[HistoryEntry]:
            entries: list[HistoryEntry] = []
            for table in (LEDGER, tables.ledger_kept):
                if len(entries) < limit:
                    last = entries[-1].command_id if entries else before
                    chosen = _newest(table, player_id, limit - len(entries), last)
                    entries += [entry_of(row) for row in (await connection.execute(chosen)).mappings()]
            return entries

        return await on_owner(self._slots, player_id, query)
