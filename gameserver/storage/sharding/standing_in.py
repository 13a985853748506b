"""Whether the copy of a move acknowledges commits of its source in the place of a standby.

Law: where commits wait for any reader of the log (`*`, as Patroni's strict mode has it while no standby is there), and
nothing holds the copy behind the standbys, a running copy acknowledges them: they are on one disk then, and in a copy
that may be thrown away. So no copy begins there, and one that runs is paused.
"""

import asyncpg

WAITS_FOR_STANDBYS = 17
"""The version of Postgres since which a replication slot can wait for standbys."""
SECONDS = 60.0
TEXT = (
    "Commits of {source} wait for any standby (`*` in synchronous_standby_names), and the copy of a move would count "
    "as one: start its standbys, and write their names there, or their slots into synchronized_standby_slots (Postgres "
    "17 or newer on both sides)."
)
_STANDS_IN = """
    select current_setting('synchronous_standby_names') like '%*%' as anybody,
           coalesce(current_setting('synchronized_standby_slots', true), '') <> '' as behind
"""
"""Whether commits wait for whoever reads the log, and whether a move's slot can be held behind the standbys."""


class CopyStandsIn(Exception):
    """The copy is paused until commits of its source wait for somebody else; the text says what to do."""


def can_wait_for_standbys(connection: asyncpg.Connection) -> bool:
    """Whether a slot of this server, or its subscription on it, can be held behind standbys."""
    return bool(connection.get_server_version().major >= WAITS_FOR_STANDBYS)


async def stands_in(source: asyncpg.Connection, target: asyncpg.Connection) -> bool:
    """Whether a copy from the one to the other does so, or would. Raises what the driver does."""
    row = await source.fetchrow(_STANDS_IN, timeout=SECONDS)
    held = row["behind"] and can_wait_for_standbys(source) and can_wait_for_standbys(target)
    return bool(row["anybody"] and not held)


async def require_apart(name: str, source: asyncpg.Connection, target: asyncpg.Connection) -> None:
    """Raises CopyStandsIn, and what the driver does; `name` is the source's."""
    if await stands_in(source, target):
        raise CopyStandsIn(TEXT.format(source=name))
