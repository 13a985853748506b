"""The copy of a move: the rows of its slots, by Postgres's own logical replication, from one database to another.

Law: a publication on the source has the slots' rows of every table of the group, and their marks; a subscription on the
target copies the rows there are, then applies changes in the order of the source's commits. So a mark that was written
on the source and is visible on the target proves that everything before it has arrived. Both servers go on by
themselves after either was killed. The ledger is published through its root table, without transaction ids: the target
assigns its own.
"""

import contextlib
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import asyncpg
import orjson
import structlog

from gameserver.config import postgres_url
from gameserver.rules.errors import Conflict
from gameserver.storage.ledger.retention import kept_whole
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.driver import DriverConnection
from gameserver.storage.postgres.patience import TRANSACTION
from gameserver.storage.sharding import copy_names, ending, standing_in
from gameserver.storage.sharding.digest import columns, moved_tables
from gameserver.storage.sharding.move import MoveRecord, Step
from gameserver.storage.sharding.pieces import SECONDS, pieces
from gameserver.storage.sharding.standing_in import can_wait_for_standbys
from gameserver.storage.sharding.subscribing import CREATE_SECONDS, subscribe
from gameserver.storage.tables import METADATA

log = structlog.get_logger()

PATIENT = {
    "statement_timeout": "0",
    "lock_timeout": "5000",
    "timezone": "UTC",
    "synchronous_commit": "on",
    "idle_in_transaction_session_timeout": "1000",
    "plan_cache_mode": "force_custom_plan",
    TRANSACTION: "600000",
}
"""Times in milliseconds; the idle one frees the fence of a mover that froze in a transaction. Statements are planned
for their values, which decide whether an index is of use."""
STATEMENT_SECONDS = 60.0
IDENTITY = (
    "select (pg_control_system()).system_identifier::text || ' ' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)"
    " as server, (select version_num from alembic_version_{group}) as revision"
)
HAS_SLOT = "select exists(select from pg_replication_slots where slot_name = $1 and wal_status <> 'lost')"
IS_PAUSED = (
    "select exists(select from pg_subscription where subname = $1 and not subenabled and subslotname is not null)"
)
CREATE_SLOT = {
    False: "select pg_create_logical_replication_slot($1, 'pgoutput')",
    True: "select pg_create_logical_replication_slot($1, 'pgoutput', failover => true)",
}
"""By whether the source sends nothing that the standbys of its `synchronized_standby_slots` don't have yet."""
FINISHED = (
    "select r.srrelid::regclass::text as name,"
    " format('pg_%s_sync_%s_%s', s.oid, r.srrelid, (select system_identifier from pg_control_system())) as slot"
    " from pg_subscription s join pg_subscription_rel r on r.srsubid = s.oid"
    " where s.subname = $1 and r.srsubstate = 'f'"
)
"""Tables that are copied and have to catch up, and the replication slot of each, as Postgres names it."""
_SUBSCRIPTION = re.compile(r", (\d+) \w+, subscription (\d+)")
"""In the text of `Copy.servers`: the target's system identifier and the subscription's number."""


@dataclass(frozen=True, slots=True)
class CopyProgress:
    """Rows that have arrived, of `total`; `ready` once only changes are left to apply; how many errors so far."""

    rows: int
    total: int
    ready: bool
    errors: int


@contextlib.asynccontextmanager
async def opened(database: Database, name: str = "gameserver") -> AsyncIterator[DriverConnection]:
    """A driver connection with a mover's patient settings, under this application name. Raises one of LOST."""
    connection = await database.connect({**PATIENT, "application_name": name})
    try:
        yield connection
    finally:
        connection.terminate()


async def require_fit(source: Database, target: Database) -> None:
    """Raises Conflict, with what to do about it, for servers that can't replicate from the one to the other."""
    async with opened(source) as connection:
        if (level := await connection.fetchval("show wal_level")) != "logical":
            raise Conflict(f"{source.name} has wal_level {level}: set it to logical and restart it.")
        if not await connection.fetchval(
            "select rolreplication or rolsuper from pg_roles where rolname = current_user"
        ):
            raise Conflict(f"The role of {source.name} may not replicate: alter role … replication.")
        async with opened(target) as other:
            if not await other.fetchval("select pg_has_role('pg_create_subscription', 'member')"):
                raise Conflict(f"The role of {target.name} may not subscribe: grant pg_create_subscription to it.")
            if await standing_in.stands_in(connection, other):
                raise Conflict(standing_in.TEXT.format(source=source.name))


class Copy:
    """The copy of one move; its methods work over connections of the move's mover."""

    def __init__(self, move: MoveRecord, deployment: str, source: Database, target: Database) -> None:
        self.name = self._new_name = copy_names.name_of(deployment, move)
        """The name of publication, replication slot and subscription; `recall` may find another one."""
        self._mover = f"{self.name}_mover"
        """The application name of its mover's connections."""
        self._id, self._group = move.id, move.group
        self._slots = [record.slot for record in move.slots]
        self._tables = [table.name for table in moved_tables(move.group)]
        self.source, self.target = source, target
        self._totals: dict[str, int] | None = None

    def opened(self, database: Database) -> contextlib.AbstractAsyncContextManager[DriverConnection]:
        """A connection that a later mover can evict. Raises one of LOST."""
        return opened(database, self._mover)

    async def evict(self, *connections: asyncpg.Connection) -> None:
        """Closes the connections of earlier movers: one that was frozen can do nothing more when it wakes."""
        for connection in connections:
            await copy_names.end_movers(connection, self._id)

    async def recall(self, source: asyncpg.Connection, step: Step) -> None:
        """Takes the name of the copy that there is, if it was made under another one; and its own, if it is to be made:
        an old subscription may ask for the other one."""
        if step is Step.PLANNED:
            self.name = self._new_name
            return
        names = await copy_names.left_of(source, "slots", self._id)
        if names and self.name not in names:
            self.name = names[0]

    async def servers(self, source: asyncpg.Connection, target: asyncpg.Connection) -> str:
        """Identifies the two servers, their timelines, the subscription, and the revisions of the tables.

        Another answer later means that the copy lacks something: a server was failed over, its log was lost, or the
        tables have columns that it doesn't know.
        """
        asked = IDENTITY.format(group=self._group)
        found = [await server.fetchrow(asked, timeout=STATEMENT_SECONDS) for server in (source, target)]
        has_slot = await source.fetchval(HAS_SLOT, self.name, timeout=STATEMENT_SECONDS)
        number = await target.fetchval("select oid from pg_subscription where subname = $1", self.name)
        servers, revisions = ([row[part] for row in found] for part in ("server", "revision"))
        return f"{', '.join(servers)}, subscription {number if has_slot else 'lost'}, {' to '.join(revisions)}"

    async def begin(self, source: asyncpg.Connection, target: asyncpg.Connection, servers: str) -> None:
        """Erases these slots on the target and starts the copy; what an earlier attempt has left is removed.

        `servers` is as recorded for that attempt, empty if there was none.
        """
        # Remove an earlier attempt's copy, then the rows that it brought to the target.
        await self.end(source, target, servers)
        await self.require_ended(source, target)
        await self.erase(target)
        async with kept_whole(source), kept_whole(target):
            # Publish on the source before the target subscribes.
            await source.execute(self._publication(), timeout=STATEMENT_SECONDS)
            # The slot first, by itself: a subscription that makes it can't be created by a function, as below.
            behind = can_wait_for_standbys(source) and can_wait_for_standbys(target)
            await source.fetchval(CREATE_SLOT[behind], self.name, timeout=CREATE_SECONDS)
            address = postgres_url.for_servers(self.source.url).get_secret_value()
            await subscribe(target, self.name, address, behind_standbys=behind)

    def _publication(self) -> str:
        slots = ", ".join(map(str, self._slots))
        parts = [
            f'"{table.name}" ({", ".join(columns(table))}) where (slot in ({slots}))'
            for table in moved_tables(self._group)
        ]
        parts.append(f"{self._group}_marks where (slot in ({slots}))")
        return f"create publication {self.name} for table {', '.join(parts)} with (publish_via_partition_root = true)"

    async def pause(self, target: asyncpg.Connection) -> None:
        """Has the target apply nothing more, and need no worker, until `go_on`; the source keeps what is left."""
        await target.execute(f"alter subscription {self.name} disable", timeout=STATEMENT_SECONDS)

    async def is_on(self, target: asyncpg.Connection) -> bool:
        """Whether there is a copy that isn't paused."""
        query = "select exists(select from pg_subscription where subname = $1 and subenabled)"
        return bool(await target.fetchval(query, self.name, timeout=STATEMENT_SECONDS))

    async def go_on(self, target: asyncpg.Connection) -> None:
        """Ends a pause, if there is one."""
        if await target.fetchval(IS_PAUSED, self.name, timeout=STATEMENT_SECONDS):
            await target.execute(f"alter subscription {self.name} enable", timeout=STATEMENT_SECONDS)

    async def end(self, source: asyncpg.Connection, target: asyncpg.Connection, servers: str) -> None:
        """Ends the copy for good, and any other one of its slots; nothing may be erased before. Both servers have to
        answer."""
        published = await self._published(source) | await self._published(target)
        for connection in (target, source):
            names = {*published, *await copy_names.left_of(connection, "subscriptions", self._id)}
            await ending.end_subscriptions(connection, sorted(names))
        await ending.end_publications(target, sorted(published))
        await self.end_on_source(source, servers)

    async def end_on_source(self, source: asyncpg.Connection, servers: str) -> None:
        """Ends the copy without the target, so that the source stores no log for it; the subscription gets no more.

        `servers` is as recorded; it names the slots of tables that are still being copied for the first time.
        """
        await ending.end_publications(source, sorted(await self._published(source)))
        if (match := _SUBSCRIPTION.search(servers)) is not None:
            pattern = f"pg_{match[2]}_sync_%_{match[1]}"
            query = "select slot_name from pg_replication_slots where slot_name like $1"
            for row in await source.fetch(query, pattern, timeout=STATEMENT_SECONDS):
                await ending.drop_slot(source, row["slot_name"])

    async def _published(self, connection: asyncpg.Connection) -> set[str]:
        """The names of publications and replication slots of its move, and of publications that have its slots:
        another open move has none of them."""
        names = set(await copy_names.left_with(connection, self._group, self._slots))
        for kind in ("slots", "publications"):
            names.update(await copy_names.left_of(connection, kind, self._id))
        return names

    async def require_ended(self, *connections: asyncpg.Connection) -> None:
        """Raises Conflict while one of its servers has a slot or a publication of it, or of these slots: what is erased
        on one would be erased elsewhere, too."""
        for connection in connections:
            if names := sorted(await self._published(connection)):
                raise Conflict(f"{', '.join(names)} is still there: nothing is erased.")

    async def forget_marks(self, connection: asyncpg.Connection) -> None:
        statement = f"delete from {self._group}_marks where move = $1"  # noqa: S608
        await connection.execute(statement, self._id, timeout=STATEMENT_SECONDS)

    async def erase(self, connection: asyncpg.Connection, slots: Sequence[int] | None = None) -> None:
        """Deletes rows of `slots`, or of all the move's slots, from a database; rows of a slot it owns stay.

        Each piece is committed by itself, so whoever is killed leaves the less to the next one.
        """
        tables = [*moved_tables(self._group), METADATA[self._group].tables[f"{self._group}_marks"]]
        unowned = f"not exists (select from {self._group}_owned_slots o where o.slot = $1 and o.owned)"
        for slot in self._slots if slots is None else slots:
            for table in tables:
                async for piece in pieces(connection, table, slot):
                    statement = f'delete from "{table.name}" where {piece.condition} and {unowned}'  # noqa: S608
                    await connection.execute(statement, *piece.values, timeout=SECONDS)

    async def copied(self, source: asyncpg.Connection, target: asyncpg.Connection) -> CopyProgress:
        """How far the first copy is; by Postgres's own progress reports, of as many rows as its planner guesses."""
        rows = await target.fetch(
            "select r.srrelid::regclass::text as name, r.srsubstate = any('{s,r}') as whole,"
            " coalesce(c.tuples_processed, 0) as done"
            " from pg_subscription s join pg_subscription_rel r on r.srsubid = s.oid"
            " left join pg_stat_progress_copy c on c.relid = r.srrelid where s.subname = $1",
            self.name,
        )
        guessed = await self._guessed_rows(source)
        under_way = {row["name"]: row["done"] for row in rows if not row["whole"]}
        totals = {name: max(guess, under_way.get(name, 0)) for name, guess in guessed.items()}
        arrived = sum(under_way.get(name, total) for name, total in totals.items()) if rows else 0
        errors = await target.fetchval(
            "select coalesce(sum(apply_error_count + sync_error_count), 0)::bigint from pg_stat_subscription_stats"
            " where subname = $1",
            self.name,
        )
        return CopyProgress(arrived, sum(totals.values()), bool(rows) and all(row["whole"] for row in rows), errors)

    async def lost(self, source: asyncpg.Connection, target: asyncpg.Connection) -> set[str]:
        """Tables whose first copy is complete, and lacks what its slot on the source has kept since: there is none.

        Postgres drops that slot before it commits that it needs it no more. After a crash of the target in between it
        asks for the slot for ever; without one, a look in between sees the same for a moment.
        """
        slots = {row["slot"]: row["name"] for row in await target.fetch(FINISHED, self.name)}
        held = await source.fetch("select slot_name from pg_replication_slots where slot_name = any($1)", list(slots))
        return set(slots.values()).difference(slots[row["slot_name"]] for row in held)

    async def _guessed_rows(self, source: asyncpg.Connection) -> dict[str, int]:
        """What the planner expects, asked once: to show how far the copy is, at the same cost for any size."""
        if self._totals is None:
            slots = ", ".join(map(str, self._slots))
            self._totals = {}
            for name in self._tables:
                query = f'explain (format json) select from "{name}" where slot in ({slots})'
                planned = orjson.loads(await source.fetchval(query, timeout=STATEMENT_SECONDS))
                self._totals[name] = int(planned[0]["Plan"]["Plan Rows"])
        return self._totals
