"""Which database owns which slot of which group, as the control database has it.

The map only routes. What keeps a stale node from writing is each database's own table of owned slots, read under
its fence: a write that is refused there raises SlotMoved, the map is loaded again and the write goes on elsewhere.
"""

import asyncio
from collections.abc import Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert

from gameserver.storage import schema
from gameserver.storage.databases import Database, Databases

OWNED = {
    "accounts": schema.accounts_owned_slots,
    "players": schema.players_owned_slots,
    "items": schema.items_owned_slots,
}


class SlotMoved(Exception):
    """The database doesn't own the slot; caught inside storage, never shown."""


class Unpaid(SlotMoved):
    """The command's payment doesn't count any more; caught inside storage, never shown."""


class IncompleteMap(Exception):
    """A slot has no database, or one that the settings don't name."""


class Slots:
    """The map of one moment, loaded again by `refresh`."""

    def __init__(self, control: Database, databases: Databases, sizes: Mapping[str, int]) -> None:
        self._control = control
        self._databases = databases
        self._sizes = sizes
        self._owners: dict[str, list[Database]] = {}
        self._refreshing: asyncio.Task[None] | None = None

    def size(self, group: str) -> int:
        return self._sizes[group]

    def owner(self, group: str, slot: int) -> Database:
        """The database that owns a slot, or IndexError for a slot that the group hasn't."""
        return self._owners[group][slot]

    def databases(self, group: str) -> list[Database]:
        """Those that own a slot of the group, by name."""
        return sorted({owner.name: owner for owner in self._owners[group]}.values(), key=lambda each: each.name)

    async def refresh(self) -> None:
        """Loads the map; callers at the same time share one query. Raises IncompleteMap, DatabaseUnavailable."""
        if self._refreshing is None or self._refreshing.done():
            self._refreshing = asyncio.ensure_future(self._load())
        await asyncio.shield(self._refreshing)

    async def _load(self) -> None:
        async with self._control.snapshot() as connection:
            rows = (await connection.execute(select(schema.slots))).mappings().all()
        names = {(row["group"], row["slot"]): row["database"] for row in rows}
        known = set(self._databases.names())
        for group, size in self._sizes.items():
            if strange := {names.get((group, slot)) for slot in range(size)} - known:
                raise IncompleteMap(f"slots of {group} belong to {sorted(map(str, strange))}, not in `databases`")
        self._owners = {
            group: [self._databases[names[group, slot]] for slot in range(size)] for group, size in self._sizes.items()
        }


async def assign(control: Database, members: Mapping[str, Sequence[Database]], sizes: Mapping[str, int]) -> None:
    """Spreads the slots that have no owner yet evenly over their group's databases, and tells each what it owns.

    Safe to run again and to be killed anywhere: what is in the map stays, and ownership follows the map.
    """
    async with control.transaction() as connection:
        for group, databases in members.items():
            rows = [
                {"group": group, "slot": slot, "database": _share(databases, slot, sizes[group]).name, "epoch": 1}
                for slot in range(sizes[group])
            ]
            await connection.execute(upsert(schema.slots).on_conflict_do_nothing(), rows)
        placed = (await connection.execute(select(schema.slots))).mappings().all()
    for group, databases in members.items():
        for database in databases:
            owned = [
                {"slot": row["slot"], "owned": True, "epoch": row["epoch"]}
                for row in placed
                if row["group"] == group and row["database"] == database.name
            ]
            await _grant(database, group, owned)


def _share(databases: Sequence[Database], slot: int, slots: int) -> Database:
    return databases[slot * len(databases) // slots]


async def _grant(database: Database, group: str, rows: list[dict[str, object]]) -> None:
    table = OWNED[group]
    async with database.transaction() as connection:
        if rows:
            await connection.execute(upsert(table).on_conflict_do_nothing(), rows)


async def placement(control: Database) -> dict[str, dict[str, int]]:
    """Slots per group and database."""
    async with control.snapshot() as connection:
        rows = await connection.execute(select(schema.slots.c.group, schema.slots.c.database))
    counts: dict[str, dict[str, int]] = {}
    for group, database in rows:
        counts.setdefault(group, {}).setdefault(database, 0)
        counts[group][database] += 1
    return counts
