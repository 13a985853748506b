"""Gives slots that have no owner yet to their group's databases."""

from collections.abc import Mapping, Sequence

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from gameserver.storage import tables
from gameserver.storage.postgres.database import Database
from gameserver.storage.slots.slot_map import OWNED


async def assign(
    control: Database, members: Mapping[str, Sequence[Database]], sizes: Mapping[str, int]
) -> dict[str, int]:
    """Spreads the slots that have no owner yet evenly over their group's databases, and grants each what it owns.

    Returns how many there were, by group.

    Safe to run again, to be killed anywhere, and during moves: what is in the map stays, and a slot that was ever moved
    (its epoch is above 1) is left to its mover.
    """
    async with control.transaction() as connection:
        before = await _placed(connection)
        for group, databases in members.items():
            rows = [
                {"group": group, "slot": slot, "database": _share(databases, slot, sizes[group]).name, "epoch": 1}
                for slot in range(sizes[group])
            ]
            await connection.execute(upsert(tables.slots).on_conflict_do_nothing(), rows)
            await _record_members(connection, group, databases)
        assigned = {group: count - before.get(group, 0) for group, count in (await _placed(connection)).items()}
        placed = (await connection.execute(select(tables.slots))).mappings().all()
    for group, databases in members.items():
        for database in databases:
            owned = [
                {"slot": row["slot"], "owned": True, "epoch": row["epoch"]}
                for row in placed
                if (row["group"], row["database"], row["epoch"]) == (group, database.name, 1)
            ]
            await _grant(database, group, owned)
    return assigned


async def _placed(connection: AsyncConnection) -> dict[str, int]:
    """How many slots of each group have an owner."""
    query = select(tables.slots.c.group, func.count().label("placed")).group_by(tables.slots.c.group)
    return {row.group: row.placed for row in await connection.execute(query)}


def _share(databases: Sequence[Database], slot: int, slots: int) -> Database:
    return databases[slot * len(databases) // slots]


async def _record_members(connection: AsyncConnection, group: str, databases: Sequence[Database]) -> None:
    """Records the first members of a group; later the members change only by joining and leaving."""
    known = await connection.execute(select(tables.members.c.database).where(tables.members.c.group == group))
    if known.first() is None:
        rows = [{"group": group, "database": database.name, "draining": False} for database in databases]
        await connection.execute(upsert(tables.members).on_conflict_do_nothing(), rows)


async def _grant(database: Database, group: str, rows: list[dict[str, object]]) -> None:
    async with database.transaction() as connection:
        if rows:
            await connection.execute(upsert(OWNED[group]).on_conflict_do_nothing(), rows)
