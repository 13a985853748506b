"""The copy of a move: the rows of its slots, by Postgres's own logical replication, from one database to another.

A publication on the source has the slots' rows of every table of the group, and of the marks; a subscription on the
target copies what is there and applies what comes after, in the order of the source's commits. Both go on by
themselves after either server was killed. So a mark that was written on the source and is seen on the target proves
that everything before it has arrived. The ledger goes through its root, without the transaction ids, which the target
gives anew.
"""

import asyncio
import contextlib
import hashlib
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import asyncpg
import structlog

from gameserver.rules.errors import Conflict
from gameserver.storage.postgres.database import Database
from gameserver.storage.sharding.digest import columns, moved_tables

log = structlog.get_logger()

PATIENT = {
    "statement_timeout": "0",
    "lock_timeout": "5000",
    "timezone": "UTC",
    "synchronous_commit": "on",
    "idle_in_transaction_session_timeout": "1000",
}
"""In milliseconds; the last takes the fence from a mover that froze."""
STATEMENT_SECONDS = 60.0
CREATE_SECONDS = 120.0
"""Making a replication slot waits for every transaction that runs on the source."""
DROP_TRIES = 50
IDENTITY = (
    "select (pg_control_system()).system_identifier::text || ' ' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)"
)
EVICT = (
    "select pg_terminate_backend(pid) from pg_stat_activity"
    " where application_name = $1 and usename = current_user and pid <> pg_backend_pid()"
)
KEPT = "select exists(select from pg_replication_slots where slot_name = $1 and wal_status <> 'lost')"
_SUBSCRIPTION = re.compile(r", (\d+) \w+, subscription (\d+)$")
"""Of `Copy.servers`: the target's system identifier and the subscription's number."""


@dataclass(frozen=True, slots=True)
class Copied:
    """Rows that have arrived, of so many; `ready` when only changes are left to follow; `errors` so far."""

    rows: int
    total: int
    ready: bool
    errors: int


@contextlib.asynccontextmanager
async def opened(database: Database, name: str = "gameserver") -> AsyncIterator[asyncpg.Connection]:
    """A connection of a mover's own, by which the server knows it under this name. Raises one of LOST."""
    connection = await database.connect({**PATIENT, "application_name": name})
    try:
        yield connection
    finally:
        connection.terminate()


async def require_fit(source: Database, target: Database) -> None:
    """Raises Conflict for servers that can't replicate to each other, with what to do about it."""
    async with opened(source) as connection:
        if (level := await connection.fetchval("show wal_level")) != "logical":
            raise Conflict(f"{source.name} has wal_level {level}: set it to logical and restart it.")
        if not await connection.fetchval(
            "select rolreplication or rolsuper from pg_roles where rolname = current_user"
        ):
            raise Conflict(f"The role of {source.name} may not replicate: alter role … replication.")
    async with opened(target) as connection:
        if not await connection.fetchval("select pg_has_role('pg_create_subscription', 'member')"):
            raise Conflict(f"The role of {target.name} may not subscribe: grant pg_create_subscription to it.")


class Copy:
    """The copy of one move, between connections of its mover."""

    def __init__(self, move_id: int, group: str, slots: Sequence[int], source: Database, target: Database) -> None:
        deployment = hashlib.blake2b(source.url.get_secret_value().encode(), digest_size=4).hexdigest()
        self.name = f"gs_{deployment}_move_{move_id}"
        """Of the publication, the replication slot and the subscription; servers may hold several deployments."""
        self.mover = f"{self.name}_mover"
        """Of its mover's connections."""
        self._id, self._group = move_id, group
        self._slots = list(slots)
        self._tables = [table.name for table in moved_tables(group)]
        self._source, self._target = source, target
        self._counted: dict[str, int] | None = None

    async def evict(self, *connections: asyncpg.Connection) -> None:
        """Ends what earlier movers have open: one that was frozen does nothing more when it wakes."""
        for connection in connections:
            await connection.fetch(EVICT, self.mover, timeout=STATEMENT_SECONDS)

    async def servers(self, source: asyncpg.Connection, target: asyncpg.Connection) -> str:
        """Which servers and timelines the copy is between, and by which subscription.

        Another answer later says that it lacks something: one of them was failed over, or the copy has lost its log.
        """
        told = [await each.fetchval(IDENTITY, timeout=STATEMENT_SECONDS) for each in (source, target)]
        kept = await source.fetchval(KEPT, self.name, timeout=STATEMENT_SECONDS)
        number = await target.fetchval("select oid from pg_subscription where subname = $1", self.name)
        return f"{told[0]}, {told[1]}, subscription {number if kept else 'lost'}"

    async def begin(self, source: asyncpg.Connection, target: asyncpg.Connection, servers: str) -> None:
        """Empties the target's part of these slots and starts the copy; what is left of an earlier try is removed.

        `servers` as they were recorded of that one, empty if there was none.
        """
        await self.end(source, target, servers)
        await self.erase(target)
        await source.execute(self._publication(), timeout=STATEMENT_SECONDS)
        url = await target.fetchval("select quote_literal($1::text)", self._source.url.get_secret_value())
        await target.execute(
            f"create subscription {self.name} connection {url} publication {self.name}"
            f" with (slot_name = '{self.name}', synchronous_commit = 'on', streaming = off)",
            timeout=CREATE_SECONDS,
        )

    def _publication(self) -> str:
        chosen = ", ".join(map(str, self._slots))
        parts = [
            f'"{table.name}" ({", ".join(columns(table))}) where (slot in ({chosen}))'
            for table in moved_tables(self._group)
        ]
        parts.append(f"{self._group}_marks where (slot in ({chosen}))")
        return f"create publication {self.name} for table {', '.join(parts)} with (publish_via_partition_root = true)"

    async def end(self, source: asyncpg.Connection, target: asyncpg.Connection, servers: str) -> None:
        """Ends the copy for good; nothing may be erased on the source before it. Both servers have to be there."""
        if await target.fetchval("select exists(select from pg_subscription where subname = $1)", self.name):
            await target.execute(f"alter subscription {self.name} disable", timeout=STATEMENT_SECONDS)
            await target.execute(f"alter subscription {self.name} set (slot_name = none)", timeout=STATEMENT_SECONDS)
            await target.execute(f"drop subscription {self.name}", timeout=STATEMENT_SECONDS)
        await self.end_on_source(source, servers)

    async def end_on_source(self, source: asyncpg.Connection, servers: str) -> None:
        """Ends it without the target, whose subscription finds nothing more: the source keeps no log for it.

        `servers` as they were recorded, for what is still being copied for the first time.
        """
        await self._drop_slot(source, self.name)
        if (found := _SUBSCRIPTION.search(servers)) is not None:
            pattern = f"pg_{found[2]}_sync_%_{found[1]}"
            mine = "select slot_name from pg_replication_slots where slot_name like $1"
            for row in await source.fetch(mine, pattern, timeout=STATEMENT_SECONDS):
                await self._drop_slot(source, row["slot_name"])
        await source.execute(f"drop publication if exists {self.name}", timeout=STATEMENT_SECONDS)

    async def forget_marks(self, connection: asyncpg.Connection) -> None:
        done = f"delete from {self._group}_marks where move = $1"  # noqa: S608
        await connection.execute(done, self._id, timeout=STATEMENT_SECONDS)

    async def _drop_slot(self, source: asyncpg.Connection, name: str) -> None:
        for attempt in range(DROP_TRIES):
            try:
                await source.fetch(
                    "select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = $1",
                    name,
                )
                return
            except asyncpg.ObjectInUseError:
                if attempt == DROP_TRIES - 1:
                    raise
                await source.fetch(
                    "select pg_terminate_backend(active_pid) from pg_replication_slots where slot_name = $1", name
                )
                await asyncio.sleep(0.1)

    async def erase(self, connection: asyncpg.Connection, slots: Sequence[int] | None = None) -> None:
        """Deletes these slots' rows (all of the move's if none are named) from a database that doesn't own them."""
        for slot in self._slots if slots is None else slots:
            for table in (*self._tables, f"{self._group}_marks"):
                await connection.execute(
                    f'delete from "{table}" where slot = $1 and not exists'  # noqa: S608
                    f" (select from {self._group}_owned_slots o where o.slot = $1 and o.owned)",
                    slot,
                    timeout=STATEMENT_SECONDS,
                )

    async def copied(self, source: asyncpg.Connection, target: asyncpg.Connection) -> Copied:
        """How far the first copy is; of a table under way by what the server tells of it."""
        rows = await target.fetch(
            "select r.srrelid::regclass::text as name, r.srsubstate = any('{s,r}') as whole,"
            " coalesce(c.tuples_processed, 0) as done"
            " from pg_subscription s join pg_subscription_rel r on r.srsubid = s.oid"
            " left join pg_stat_progress_copy c on c.relid = r.srrelid where s.subname = $1",
            self.name,
        )
        totals = await self._totals(source)
        arrived = sum(totals.get(row["name"], 0) if row["whole"] else row["done"] for row in rows)
        errors = await target.fetchval(
            "select coalesce(sum(apply_error_count + sync_error_count), 0)::bigint from pg_stat_subscription_stats"
            " where subname = $1",
            self.name,
        )
        return Copied(arrived, sum(totals.values()), bool(rows) and all(row["whole"] for row in rows), errors)

    async def _totals(self, source: asyncpg.Connection) -> dict[str, int]:
        """By table, of one look: it is for showing how far the copy is."""
        if self._counted is None:
            self._counted = {
                name: await source.fetchval(
                    f'select count(*) from "{name}" where slot = any($1::smallint[])',  # noqa: S608
                    self._slots,
                    timeout=STATEMENT_SECONDS,
                )
                for name in self._tables
            }
        return self._counted
