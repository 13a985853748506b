"""A player's history, read from the ledger newest first."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gameserver.storage import tables
from gameserver.storage.ledger.refusals import TOOK_EFFECT
from gameserver.storage.ledger.rows import rows_of
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


class History:
    """Reads the ledgers of the databases that own the players."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots

    async def page(self, player_id: int, limit: int, before: str | None) -> list[HistoryEntry]:
        """At most `limit` commands that took effect, from the newest id; `before` is the last one of the previous page.

        Raises PlayerNotFound for an id that no player can have, DatabaseUnavailable.
        """

        async def query(connection: AsyncConnection) -> list[HistoryEntry]:
            chosen = select(LEDGER).where(rows_of(player_id), TOOK_EFFECT)
            chosen = chosen.order_by(LEDGER.c.command_id.desc()).limit(limit)
            if before is not None:
                chosen = chosen.where(LEDGER.c.command_id < before)
            return [entry_of(row) for row in (await connection.execute(chosen)).mappings()]

        return await on_owner(self._slots, player_id, query)
