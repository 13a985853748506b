"""Which database owns which slot of which group, as the control database has it.

Law: the map only routes. What keeps a node with a stale map from writing is each database's own table of owned slots,
read under its fence: a write that is refused there is sent on once the map has changed. `run` is notified of changes
and polls besides; while the control database is away every node goes on with the map it has.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence, Set
from typing import TypeVar

import asyncpg
import structlog
from pydantic import SecretStr
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from gameserver.rules.errors import DatabaseUnavailable
from gameserver.storage import tables
from gameserver.storage.postgres import statements
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.databases import Databases
from gameserver.storage.postgres.faults import LOST
from gameserver.storage.postgres.link import Link
from gameserver.storage.postgres.shares import Purpose, using
from gameserver.storage.postgres.waits import waiting_for

T = TypeVar("T")
SQL = statements.load(__package__, "slot_map.sql")
OWNED = {
    "accounts": tables.accounts_owned_slots,
    "players": tables.players_owned_slots,
    "items": tables.items_owned_slots,
}
CHANNEL = "slots"
LOOK_SECONDS = 0.05
"""How often the map is loaded again while something waits for a slot and no change is heard of."""
POLL_SECONDS = 2.0
RETRY_SECONDS = 0.5
MOVED_SECONDS = 5.0
"""How long a slot may be without an owner before what waits for it fails."""

log = structlog.get_logger()


class SlotMoved(Exception):
    """The database doesn't own the slot; caught inside storage, never shown to a client."""


class IncompleteMap(Exception):
    """A slot has no database, or one that this node doesn't know."""


class Slots:
    """The map as it was loaded last; `refresh` loads it again."""

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
        """The database that owns a slot. Raises IndexError for a slot that the group doesn't have."""
        return self._owners[group][slot]

    def databases(self, group: str) -> list[Database]:
        """The databases that own a slot of the group, by name."""
        return sorted({owner.name: owner for owner in self._owners[group]}.values(), key=lambda owner: owner.name)

    def members(self, group: str) -> list[Database]:
        """The databases that may own slots of the group, by name; some may own none yet."""
        return self._members[group]

    async def routed(
        self, group: str, slot: int, work: Callable[[AsyncConnection], Awaitable[T]], *, reads: bool = False
    ) -> T:
        """Runs `work` on the owner of the slot: in a fenced transaction, or in a snapshot if it only `reads`.

        Raises DatabaseUnavailable, also when the slot has no owner for too long.
        """
        deadline = time.monotonic() + MOVED_SECONDS
        while True:
            database = self.owner(group, slot)
            with waiting_for(database.name):
                async with database.snapshot() if reads else database.fenced(group) as connection:
                    if await owns(connection, group, slot):
                        return await work(connection)
            await self.moved(deadline)

    async def moved(self, deadline: float) -> None:
        """Waits a moment for a newer map, after a database has refused a slot. Raises DatabaseUnavailable."""
        if time.monotonic() > deadline:
            raise DatabaseUnavailable("This data is being moved between databases.", retry_after=1)
        await self.changed(LOOK_SECONDS)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(deadline - time.monotonic()):
                await self.try_refresh()

    async def try_refresh(self) -> None:
        """Loads the map; if that fails, the present one stays."""
        try:
            await self.refresh()
        except (DatabaseUnavailable, IncompleteMap) as error:
            log.warning("the slot map stays as it is", error=str(error))

    async def changed(self, seconds: float) -> None:
        """Returns when a map that differs has been loaded, or after so many seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()

    async def refresh(self) -> None:
        """Loads the map; callers at the same time share one query. Raises IncompleteMap, DatabaseUnavailable."""
        if self._refreshing is None or self._refreshing.done():
            self._refreshing = asyncio.ensure_future(self._load())
        await asyncio.shield(self._refreshing)

    async def close(self) -> None:
        """Waits for a query under way; to be called before the databases are closed."""
        if self._refreshing is not None:
            await asyncio.wait([self._refreshing])

    async def run(self) -> None:
        """Follows the map's changes until cancelled."""
        link = Link(self._control, {})
        notified = asyncio.Event()
        try:
            while True:
                try:
                    await self._listen(link, notified)
                except (*LOST, asyncpg.PostgresError, DatabaseUnavailable, IncompleteMap) as error:
                    log.warning("the slot map can't be followed", error=f"{type(error).__name__}: {error}")
                    link.drop()
                await asyncio.sleep(RETRY_SECONDS)
        finally:
            await link.close()

    async def _listen(self, link: Link, notified: asyncio.Event) -> None:
        connection = await link.open()
        await connection.add_listener(CHANNEL, lambda *_: notified.set())
        while True:
            notified.clear()
            await self.refresh()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await notified.wait()
            # Notices a connection that was lost without a word.
            await connection.execute("select 1")

    async def _load(self) -> None:
        owner_names, member_names, urls = await _read(self._control)
        for name, url in urls:
            self._databases.join(name, SecretStr(url))
        self._databases.assign(_names_by_group(member_names, owner_names))
        known = set(self._databases.names())
        _require_complete(self._sizes, owner_names, known)
        if unknown := [pair for pair in member_names if pair[1] not in known]:
            log.warning("databases have joined that this node's settings don't name", databases=unknown)
        owners = {group: [self._databases[name] for name in owner_names[group]] for group in self._sizes}
        members = {
            group: [self._databases[name] for of, name in member_names if of == group and name in known]
            for group in self._sizes
        }
        if (owners, members) != (self._owners, self._members):
            self._owners, self._members = owners, members
            self._changed.set()
            self._changed = asyncio.Event()


async def _read(control: Database) -> tuple[dict[str, list[str]], list[tuple[str, str]], list[tuple[str, str]]]:
    """Each group's owners by slot; pairs of group and member, sorted; and the URLs of databases that joined."""
    with using(Purpose.ENTRY):  # whoever found that the map has changed
        async with control.snapshot() as connection:
            owners = (await connection.exec_driver_sql(SQL["map"])).all()
            members = (await connection.exec_driver_sql(SQL["members"])).all()
            urls = (await connection.exec_driver_sql(SQL["urls"])).all()
    return dict(map(tuple, owners)), sorted(map(tuple, members)), list(map(tuple, urls))


def _names_by_group(
    member_names: Sequence[tuple[str, str]], owner_names: Mapping[str, Sequence[str]]
) -> dict[str, set[str]]:
    groups = {group: set(names) for group, names in owner_names.items()}
    for group, name in member_names:
        groups.setdefault(group, set()).add(name)
    return groups


def _require_complete(sizes: Mapping[str, int], owners: Mapping[str, Sequence[str]], known: Set[str]) -> None:
    """Raises IncompleteMap unless every slot of every group has an owner that is known."""
    for group, size in sizes.items():
        placed = owners.get(group, [])
        unknown = set(placed) - known
        if len(placed) != size or unknown:
            raise IncompleteMap(f"{group}: {len(placed)} of {size} slots have an owner; not known: {unknown or '-'}")


async def owns(connection: AsyncConnection, group: str, slot: int) -> bool:
    """Whether the database owns the slot; in a fenced transaction that stays so until its end."""
    owned = OWNED[group].c
    return bool((await connection.execute(select(owned.owned).where(owned.slot == slot))).scalar())
