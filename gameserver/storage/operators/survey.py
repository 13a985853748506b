"""What each database holds and does (slots, players, bytes on disk, rows written), and the map of slots.

Each database answers for itself, as of a moment of its own, also while others or the control database are away; for
exact figures over all databases see `reports`.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from gameserver.rules.errors import DatabaseUnavailable
from gameserver.storage import tables
from gameserver.storage.postgres import statements
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.databases import Databases
from gameserver.storage.slots.slot_map import OWNED

SQL = {name: text(statement) for name, statement in statements.load(__package__, "survey.sql").items()}
Role = Literal["primary", "replica", "away"]


@dataclass(frozen=True, slots=True)
class GroupUsage:
    """A database's part of a group: slots owned, bytes of its tables, rows written since the statistics were reset."""

    group: str
    slots: int
    bytes: int
    writes: int


@dataclass(frozen=True, slots=True)
class Holding:
    """One database; of one that is away only the name is known."""

    database: str
    role: Role
    players: int = 0
    shares: Sequence[GroupUsage] = ()


@dataclass(frozen=True, slots=True)
class SlotRange:
    """Neighbouring slots, `first` to `last` inclusive, with the same owner and epoch."""

    group: str
    first: int
    last: int
    database: str
    epoch: int


class Survey:
    def __init__(self, databases: Databases, control: Database) -> None:
        self._databases = databases
        self._control = control

    async def ranges(self) -> list[SlotRange]:
        """The whole map, by group and slot. Raises DatabaseUnavailable."""
        slots = tables.slots.c
        query = select(slots.group, slots.slot, slots.database, slots.epoch).order_by(slots.group, slots.slot)
        async with self._control.snapshot() as connection:
            rows = (await connection.execute(query)).all()
        ranges: list[SlotRange] = []
        for group, slot, database, epoch in rows:
            last = ranges[-1] if ranges else None
            if last and (last.group, last.last + 1, last.database, last.epoch) == (group, slot, database, epoch):
                ranges[-1] = replace(last, last=slot)
            else:
                ranges.append(SlotRange(group, slot, slot, database, epoch))
        return ranges

    async def take(self) -> list[Holding]:
        """Every database that this process knows, in the order of its settings."""
        return await asyncio.gather(*(_holding(self._databases[name]) for name in self._databases.names()))


async def _holding(database: Database) -> Holding:
    try:
        async with database.snapshot() as connection:
            shares = [await _share(connection, group) for group in OWNED if await _is_set_up(connection, group)]
            placed = any(share.group == "players" for share in shares)
            players = (await connection.execute(SQL["players"])).scalar_one() if placed else 0
            return Holding(database.name, (await connection.execute(SQL["role"])).scalar_one(), players, shares)
    except DatabaseUnavailable:
        return Holding(database.name, "away")


async def _is_set_up(connection: AsyncConnection, group: str) -> bool:
    table = await connection.execute(select(func.to_regclass(OWNED[group].name)))
    return table.scalar() is not None


async def _share(connection: AsyncConnection, group: str) -> GroupUsage:
    owned = OWNED[group].c
    slots = (await connection.execute(select(func.count()).where(owned.owned))).scalar_one()
    names = [table.name for table in tables.METADATA[group].sorted_tables]
    row = (await connection.execute(SQL["tables"], {"tables": names})).one()
    return GroupUsage(group, slots, row.bytes, row.writes)
