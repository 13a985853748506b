"""The physical replication slots of an embedded Postgres: for its replicas and its archive, so that WAL is kept."""

from collections.abc import Sequence

import asyncpg

ARCHIVE_SLOT = "gameserver_archive"
"""The slot of the receiver that keeps the log for backups."""


def slot_of(name: str) -> str:
    """The slot of the replica of this name."""
    return "".join(letter if letter.isalnum() else "_" for letter in name.lower())


async def drop_former(connection: asyncpg.Connection, names: Sequence[str], *, archived: bool = False) -> None:
    """Drops the slots of all but these replicas: for a former one WAL would be kept without end.

    That of the receiver stays if the database is `archived`.
    """
    await connection.execute(
        "select pg_drop_replication_slot(slot_name) from pg_replication_slots "
        "where slot_type = 'physical' and not active and slot_name <> all($1::name[])",
        [*map(slot_of, names), *([ARCHIVE_SLOT] if archived else [])],
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
