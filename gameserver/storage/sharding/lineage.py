"""Which server and timeline a database was compared with the slot map on, and whether that is still the one it has.

Law: a server that was promoted, rewound or restored to a point in time is on another timeline, and one that was made
from a dump is another system. Either may have forgotten what it acknowledged. So each group's tables carry the system
and timeline of their last comparison, and every connection finds out, in one statement, whether they are this server's
own; until they are, it is refused, and nothing is read from or written to the database but by whoever compares it.

What this can't see: a copy of the files that is started in place of the newer ones goes on with the same timeline.
"""

from collections.abc import Iterable

import asyncpg

from gameserver.storage.postgres.causes import Unfit, Unreconciled
from gameserver.storage.postgres.database import Database

GROUPS = ("accounts", "control", "items", "players")
_HERE = """
    select (pg_control_system()).system_identifier as system,
           case when pg_is_in_recovery() then null
                else ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::bigint end as timeline
"""
_PRESENT = (
    "select g from unnest($1::text[]) as g where to_regclass('public.' || g || '_lineage') is not null order by g"
)


async def gate(database: Database, connection: asyncpg.Connection) -> None:
    """Refuses a connection to a database that has to be compared with the slot map first. Raises Unreconciled, Unfit.

    `database` says which groups it is to have; one that is in none is let in.
    """
    if not (groups := sorted(database.groups)):
        return
    try:
        row = await connection.fetchrow(_looking_at(groups))
    except asyncpg.UndefinedTableError as error:
        raise Unfit(f"database {database.name}: {error}. Run `gameserver migrate`.") from error
    if row["timeline"] is None:
        raise Unfit(f"The database {database.name} is a replica, or its primary was demoted.")
    if foreign := [each for each in row["recorded"] if each != (here := f"{row['system']} {row['timeline']}")]:
        raise Unreconciled(
            f"The database {database.name} was failed over or restored: it is closed until its slots have been "
            f"compared with the map, which a node does by itself, or `gameserver slots reconcile` (system and timeline "
            f"{here} instead of {foreign[0] or 'none'})."
        )


def _looking_at(groups: Iterable[str]) -> str:
    recorded = ", ".join(f"(select system || ' ' || timeline from {group}_lineage)" for group in groups)  # noqa: S608
    return f"{_HERE.strip()}, array[{recorded}] as recorded"


async def present(connection: asyncpg.Connection) -> list[str]:
    """The groups whose lineage the database has a table for."""
    return [row["g"] for row in await connection.fetch(_PRESENT, GROUPS)]


async def stale(connection: asyncpg.Connection, groups: Iterable[str]) -> dict[str, str]:
    """The groups that were compared on another system or timeline, which is the value, or never: "" then.

    Raises Unfit for a replica.
    """
    names = sorted(groups)
    row = await connection.fetchrow(_looking_at(names) if names else f"{_HERE}, '{{}}'::text[] as recorded")
    if row["timeline"] is None:
        raise Unfit("It is a replica, or was demoted.")
    here = f"{row['system']} {row['timeline']}"
    return {group: was or "" for group, was in zip(names, row["recorded"], strict=True) if was != here}


async def stamp(connection: asyncpg.Connection, group: str, unseen: Iterable[str] = ()) -> None:
    """Records that the group has been compared on this server; `unseen` didn't answer meanwhile."""
    await connection.execute(
        f"insert into {group}_lineage as l (id, system, timeline, unseen)"  # noqa: S608
        f" select 1, here.system, here.timeline, $1 from ({_HERE}) as here"
        " on conflict (id) do update set system = excluded.system, timeline = excluded.timeline,"
        " unseen = excluded.unseen",
        ",".join(sorted(unseen)),
    )


async def unseen(connection: asyncpg.Connection) -> set[str]:
    """The databases that didn't answer when the control database was compared last."""
    names = await connection.fetchval("select unseen from control_lineage")
    return set(names.split(",")) if names else set()
