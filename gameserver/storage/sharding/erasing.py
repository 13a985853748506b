"""Erases rows of slots from a database that doesn't own them."""

from collections.abc import Sequence

import asyncpg

from gameserver.storage.sharding.digest import moved_tables
from gameserver.storage.sharding.pieces import SECONDS, pieces
from gameserver.storage.tables import METADATA


async def erase(connection: asyncpg.Connection, group: str, slots: Sequence[int]) -> None:
    """Deletes the slots' rows of the group's tables; rows of a slot that the database owns stay.

    Each piece is committed by itself, so whoever is killed leaves the less to the next one.
    """
    tables = [*moved_tables(group), METADATA[group].tables[f"{group}_marks"]]
    unowned = f"not exists (select from {group}_owned_slots o where o.slot = $1 and o.owned)"
    for slot in slots:
        for table in tables:
            async for piece in pieces(connection, table, slot):
                statement = f'delete from "{table.name}" where {piece.condition} and {unowned}'  # noqa: S608
                await connection.execute(statement, *piece.values, timeout=SECONDS)
