"""Erases what a database has of slots that are another one's, as after a cancelled move whose target was away.

Law: no copy of a move is in the database meanwhile, and none can begin: the lock of those who drop is held alone. Of a
slot rows go only if the map, which is read under that lock, gives it to another database, that one says that it owns
it, and no open move has it. Rows of a slot that the database owns stay. Copies of moves that are over end before.
"""

from collections import defaultdict
from collections.abc import Mapping, Set

import asyncpg

from gameserver.storage.ledger import retention
from gameserver.storage.postgres import statements
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.databases import Databases
from gameserver.storage.postgres.faults import translated
from gameserver.storage.sharding import settling
from gameserver.storage.sharding.digest import moved_tables
from gameserver.storage.sharding.erasing import erase

SQL = statements.load(__package__, "leftovers.sql")


class Leftovers:
    """One per process."""

    def __init__(self, control: Database, databases: Databases) -> None:
        self._control, self._databases = control, databases

    async def erase(self, database: Database) -> int:
        """How many slots' rows were erased: none while another process drops there, or slots are moved.

        Raises DatabaseUnavailable, also if another database that matters is away.
        """
        with translated(database.name):
            async with retention.alone(database) as connection:
                if connection is None:
                    return 0
                moves = {row.id for row in await self._control.ask(SQL["open_moves"])}
                await settling.end_orphans(connection, moves)
                if await retention.is_moving(connection):
                    return 0
                groups = sorted(database.groups - {"control"})
                return sum([await self._erase(connection, database.name, group) for group in groups])

    async def _erase(self, connection: asyncpg.Connection, name: str, group: str) -> int:
        rows = await self._control.ask(SQL["foreign"], group, name)
        foreign = {row.slot: row.database for row in rows if row.database in self._databases}
        filled = set[int]()
        for table in moved_tables(group):
            query = SQL["filled"].format(table=table.name)
            filled |= {row["slot"] for row in await connection.fetch(query, list(foreign))}
        erased = 0
        for slot in sorted(await self._owned_by_others(group, foreign, filled)):
            if await retention.is_awaited(connection):
                break
            await erase(connection, group, [slot])
            erased += 1
        return erased

    async def _owned_by_others(self, group: str, foreign: Mapping[int, str], filled: Set[int]) -> set[int]:
        """Those of the slots whose owner by the map says that it is."""
        slots, owned = defaultdict[str, list[int]](list), set[int]()
        for slot in filled:
            slots[foreign[slot]].append(slot)
        for owner, own in slots.items():
            rows = await self._databases[owner].ask(SQL["owned"].format(group=group), own)
            owned |= {row.slot for row in rows}
        return owned
