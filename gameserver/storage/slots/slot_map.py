"""Which database owns which slot of which group, as the control database has it.

The map only routes. What keeps a stale node from writing is each database's own table of owned slots, read under
its fence: a write that is refused there goes on elsewhere when the map has changed. `run` hears of changes at once and
looks now and then besides; while the control database is away everybody goes on with the map he has.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

import asyncpg
import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from gameserver.rules.errors import DatabaseUnavailable
from gameserver.storage import tables
from gameserver.storage.postgres import statements
from gameserver.storage.postgres.database import Database, Databases
from gameserver.storage.postgres.faults import LOST
from gameserver.storage.postgres.link import Link

T = TypeVar("T")
SQL = statements.load(__package__, "slot_map.sql")
OWNED = {
    "accounts": tables.accounts_owned_slots,
    "players": tables.players_owned_slots,
    "items": tables.items_owned_slots,
}
CHANNEL = "slots"
LOOK_SECONDS = 0.05
"""How often who waits for a slot looks at the map, if nothing is heard."""
POLL_SECONDS = 2.0
RETRY_SECONDS = 0.5
MOVED_SECONDS = 5.0
"""How long a slot may be without an owner before who waits for it is told so."""

log = structlog.get_logger()


class SlotMoved(Exception):
    """The database doesn't own the slot; caught inside storage, never shown."""


class IncompleteMap(Exception):
    """A slot has no database, or one that nobody knows."""


class Slots:
    """The map of one moment, loaded again by `refresh`."""

    def __init__(self, control: Database, databases: Databases, sizes: Mapping[str, int]) -> None:
        self._control = control
        self._databases = databases
        self._sizes = sizes
        self._owners: dict[str, list[Database]] = {}
        self._members: dict[str, list[Database]] = {}
        self._refreshing: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()

    def size(self, group: str) -> int:
        return self._sizes[group]

    def groups(self) -> list[str]:
        return list(self._sizes)

    def owner(self, group: str, slot: int) -> Database:
        """The database that owns a slot, or IndexError for a slot that the group hasn't."""
        return self._owners[group][slot]

    def databases(self, group: str) -> list[Database]:
        """Those that own a slot of the group, by name."""
        return sorted({owner.name: owner for owner in self._owners[group]}.values(), key=lambda each: each.name)

    def members(self, group: str) -> list[Database]:
        """Those that may own slots of the group, by name; some may own none yet."""
        return self._members[group]

    async def routed(
        self, group: str, slot: int, work: Callable[[AsyncConnection], Awaitable[T]], *, reads: bool = False
    ) -> T:
        """Runs `work` where the slot is: in a fenced transaction, or in a snapshot if it only `reads`.

        Raises DatabaseUnavailable, also when the slot has no owner for too long.
        """
        deadline = time.monotonic() + MOVED_SECONDS
        while True:
            database = self.owner(group, slot)
            async with database.snapshot() if reads else database.fenced(group) as connection:
                if await owns(connection, group, slot):
                    return await work(connection)
            await self.moved(deadline)

    async def moved(self, deadline: float) -> None:
        """Waits a moment for another map; to be called by who was refused. Raises DatabaseUnavailable."""
        if time.monotonic() > deadline:
            raise DatabaseUnavailable("What was asked for is being moved.", retry_after=1)
        await self.changed(LOOK_SECONDS)
        await self.look()

    async def look(self) -> None:
        """Loads the map if that goes; else the one that is there stays."""
        try:
            await self.refresh()
        except (DatabaseUnavailable, IncompleteMap) as error:
            log.warning("the slot map stays as it is", error=str(error))

    async def changed(self, seconds: float) -> None:
        """Returns when another map has been loaded, or after so many seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()

    async def refresh(self) -> None:
        """Loads the map; callers at the same time share one query. Raises IncompleteMap, DatabaseUnavailable."""
        if self._refreshing is None or self._refreshing.done():
            self._refreshing = asyncio.ensure_future(self._load())
        await asyncio.shield(self._refreshing)

    async def close(self) -> None:
        """Lets a query under way end, before the databases are closed."""
        if self._refreshing is not None:
            await asyncio.wait([self._refreshing])

    async def run(self) -> None:
        """Follows the map's changes until cancelled."""
        link = Link(self._control, {})
        heard = asyncio.Event()
        try:
            while True:
                try:
                    await self._listen(link, heard)
                except (*LOST, asyncpg.PostgresError, DatabaseUnavailable, IncompleteMap) as error:
                    log.warning("the slot map can't be followed", error=f"{type(error).__name__}: {error}")
                    link.drop()
                await asyncio.sleep(RETRY_SECONDS)
        finally:
            await link.close()

    async def _listen(self, link: Link, heard: asyncio.Event) -> None:
        connection = await link.open()
        await connection.add_listener(CHANNEL, lambda *_: heard.set())
        while True:
            heard.clear()
            await self.refresh()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await heard.wait()
            await connection.execute("select 1")

    async def _load(self) -> None:
        async with self._control.snapshot() as connection:
            map_rows = (await connection.exec_driver_sql(SQL["map"])).all()
            members = (await connection.exec_driver_sql(SQL["members"])).all()
            urls = (await connection.exec_driver_sql(SQL["urls"])).all()
        for name, url in map(tuple, urls):
            self._databases.join(name, url)
        owners: dict[str, list[str]] = dict(map(tuple, map_rows))
        belongs: set[tuple[str, str]] = set(map(tuple, members))
        known = set(self._databases.names())
        for group, size in self._sizes.items():
            placed = owners.get(group, [])
            strange = set(placed) - known
            if len(placed) != size or strange:
                raise IncompleteMap(
                    f"{group}: {len(placed)} of {size} slots have an owner; not known: {strange or '-'}"
                )
        ours = {each for each in belongs if each[1] in known}
        if ours != belongs:
            log.warning("databases have joined that nobody named to this node", databases=sorted(belongs - ours))
        self._take_over(
            {group: [self._databases[name] for name in owners[group]] for group in self._sizes},
            {
                group: [self._databases[name] for of, name in sorted(belongs & ours) if of == group]
                for group in self._sizes
            },
        )

    def _take_over(self, owners: dict[str, list[Database]], members: dict[str, list[Database]]) -> None:
        if (owners, members) != (self._owners, self._members):
            self._owners, self._members = owners, members
            self._changed.set()
            self._changed = asyncio.Event()


async def owns(connection: AsyncConnection, group: str, slot: int) -> bool:
    """Whether the database owns the slot; in a fenced transaction that stays so until its end."""
    owned = OWNED[group].c
    return bool((await connection.execute(select(owned.owned).where(owned.slot == slot))).scalar())
