"""Ends copies of moves on one of their servers.

Law: what is named is ended for good, whatever else is away: a subscription is dropped without the source, and a
replication slot without the target. Each may be ended twice.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping

import asyncpg

from gameserver.storage.sharding.copy_names import left_of_all

SECONDS = 60.0
DROP_TRIES = 50
_DROP = (
    "select pg_drop_replication_slot(slot_name) from pg_replication_slots"
    " where slot_name = $1 and database = current_database()"
)
"""By any database of its server a slot can be dropped; this one drops its own."""
_END_READER = "select pg_terminate_backend(active_pid) from pg_replication_slots where slot_name = $1"
_IS_SUBSCRIBED = (
    "select exists(select from pg_subscription s join pg_database d on d.oid = s.subdbid"
    " where s.subname = $1 and d.datname = current_database())"
)
Ends = Mapping[int, tuple[str, str]]
"""The source and the target of each move, by its number."""


async def end_subscriptions(connection: asyncpg.Connection, names: Iterable[str]) -> None:
    """Raises what the driver does."""
    for name in names:
        if await connection.fetchval(_IS_SUBSCRIBED, name, timeout=SECONDS):
            # Detached from its slot first, so that dropping it doesn't need the source.
            await connection.execute(f"alter subscription {name} disable", timeout=SECONDS)
            await connection.execute(f"alter subscription {name} set (slot_name = none)", timeout=SECONDS)
            await connection.execute(f"drop subscription {name}", timeout=SECONDS)


async def end_publications(connection: asyncpg.Connection, names: Iterable[str]) -> None:
    """Ends publications, and the replication slots of the same names. Raises what the driver does."""
    for name in names:
        await drop_slot(connection, name)
        await connection.execute(f"drop publication if exists {name}", timeout=SECONDS)


async def drop_slot(connection: asyncpg.Connection, name: str) -> None:
    """Drops a replication slot, if it is there, ending the connection that uses it. Raises what the driver does."""
    for attempt in range(DROP_TRIES):
        try:
            await connection.fetch(_DROP, name, timeout=SECONDS)
            return
        except asyncpg.ObjectInUseError:
            # The subscription's connection still uses the slot.
            if attempt == DROP_TRIES - 1:
                raise
            await connection.fetch(_END_READER, name, timeout=SECONDS)
            await asyncio.sleep(0.1)


async def end_orphans(connection: asyncpg.Connection, database: str, open_moves: Callable[[], Awaitable[Ends]]) -> None:
    """Ends what the database has of moves that are over, or that the control database has forgotten, or that are
    between other databases: what goes on to be sent would be applied to rows of somebody else.

    Raises what the driver does, and `open_moves`.
    """
    subscribed = await left_of_all(connection, "subscriptions")
    published = {**await left_of_all(connection, "publications"), **await left_of_all(connection, "slots")}
    # The moves are read last: whatever was seen of one that began meanwhile is known to be of an open one.
    moves = await open_moves()
    nowhere = ("", "")
    await end_subscriptions(
        connection, [name for name, move in subscribed.items() if moves.get(move, nowhere)[1] != database]
    )
    await end_publications(
        connection, [name for name, move in published.items() if moves.get(move, nowhere)[0] != database]
    )
