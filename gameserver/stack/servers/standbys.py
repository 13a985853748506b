"""The physical replication slots of an embedded Postgres: one for each replica, so that WAL is kept for it."""

from collections.abc import Sequence

import asyncpg


def slot_of(name: str) -> str:
    """The slot of the replica of this name."""
    return "".join(letter if letter.isalnum() else "_" for letter in name.lower())


async def drop_former(connection: asyncpg.Connection, names: Sequence[str]) -> None:
    """Drops the slots of all but these replicas: for a former one WAL would be kept without end."""
    await connection.execute(
        "select pg_drop_replication_slot(slot_name) from pg_replication_slots "
        "where slot_type = 'physical' and not active and slot_name <> all($1::name[])",
        [slot_of(name) for name in names],
    )


async def holds(connection: asyncpg.Connection, name: str) -> bool:
    """Whether the primary has all the WAL since the replica last followed."""
    status = "select wal_status from pg_replication_slots where slot_name = $1"
    return await connection.fetchval(status, slot_of(name)) not in (None, "lost")


async def renew(connection: asyncpg.Connection, name: str) -> None:
    """A slot for a replica that is made anew: it keeps WAL from now on."""
    slot = slot_of(name)
    await connection.execute(
        "select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = $1", slot
    )
    await connection.execute("select pg_create_physical_replication_slot($1, true)", slot)
