"""Which server and timeline a database was compared with the slot map on, and whether that is still the one it has.

Law: a server that was promoted, rewound or restored to a point in time is on another timeline, and one that was made
from a dump is another system. Either may have forgotten what it acknowledged. So each group's tables carry the system
and timeline of their last comparison, and every connection finds out, in one statement, whether they are this server's
own; until they are, it is refused, and nothing is read from or written to the database but by whoever compares it.

What this can't see: a copy of the files that is started in place of the newer ones goes on with the same timeline.
"""

from collections.abc import Iterable
from functools import partial

import asyncpg

from gameserver.storage.postgres.causes import Unfit, Unreconciled
from gameserver.storage.postgres.database import Database, Judges, Vet
from gameserver.storage.postgres.driver import DriverConnection
from gameserver.storage.sharding import identity
from gameserver.storage.sharding.identity import Deployment

_PRESENT = "select g from unnest($1::text[]) as g where to_regclass('public.' || g || '_lineage') is not null"


def judges(vet: Vet, control: str) -> Judges:
    """Those of the databases of one process, whose control database has this name."""
    deployment = Deployment(control)
    return Judges(vet, partial(gate, deployment), lambda: deployment.id)


async def gate(deployment: Deployment, database: Database, connection: DriverConnection) -> None:
    """Refuses a connection to another database than is meant, and to one that has to be compared with the map first.

    `database` says which groups it is to have; one that is in none is let in. Raises Unreconciled, Unfit.
    """
    if not (names := sorted(database.groups)):
        return
    try:
        *identities, recorded = await connection.fetchrow(
            f"select {', '.join(map(identity.recorded, names))}, array[{_recorded(names)}]"
        )
    except asyncpg.UndefinedTableError as error:
        raise Unfit(f"The database {database.name} lacks tables ({error}): run `gameserver migrate`.") from error
    if wrong := deployment.mismatch(database, identity.parsed(identities)):
        raise Unfit(f"{wrong[0].upper()}{wrong[1:]}.")
    if former := _former(connection, names, recorded):
        raise Unreconciled(
            f"The database {database.name} was failed over or restored: it is closed until its slots have been "
            "compared with the map, which a node does by itself, or `gameserver slots reconcile --reason …` (system "
            f"and timeline {_here(connection)}, before {max(former.values()) or 'none'})."
        )


async def present(connection: DriverConnection) -> list[str]:
    """The groups whose lineage the database has a table for."""
    return [row["g"] for row in await connection.fetch(_PRESENT, identity.GROUPS)]


async def stale(connection: DriverConnection, groups: Iterable[str]) -> dict[str, str]:
    """The groups that were compared on another system or timeline, which is the value, or never: "" then.

    Raises Unfit for a server that doesn't say what it is.
    """
    if not (names := sorted(groups)):
        return {}
    return _former(connection, names, await connection.fetchval(f"select array[{_recorded(names)}]"))


def _recorded(groups: Iterable[str]) -> str:
    return ", ".join(f"(select system || ' ' || timeline from {group}_lineage)" for group in groups)  # noqa: S608


def _former(connection: DriverConnection, groups: Iterable[str], recorded: Iterable[str | None]) -> dict[str, str]:
    here = _here(connection)
    return {group: was or "" for group, was in zip(groups, recorded, strict=True) if was != here}


def _here(connection: DriverConnection) -> str:
    return "{} {}".format(*_lineage(connection))


def _lineage(connection: DriverConnection) -> tuple[int, int]:
    """The server's system and timeline. Raises Unfit."""
    lineage = connection.lineage
    if lineage is None or lineage.timeline is None:
        raise Unfit("The server doesn't say its system and timeline: grant execute on pg_control_system to the role.")
    return int(lineage.system), lineage.timeline


async def stamp(connection: DriverConnection, group: str, unseen: Iterable[str] = ()) -> None:
    """Records that the group has been compared on this server; `unseen` didn't answer meanwhile."""
    await connection.execute(stamping(group), *_lineage(connection), ",".join(sorted(unseen)))


def stamping(group: str) -> str:
    """The statement by which `stamp` records."""
    return (
        f"insert into {group}_lineage as l (id, system, timeline, unseen) values (1, $1, $2, $3)"  # noqa: S608
        " on conflict (id) do update set system = excluded.system, timeline = excluded.timeline,"
        " unseen = excluded.unseen"
    )


async def unseen(connection: DriverConnection) -> set[str]:
    """The databases that didn't answer when the control database was compared last."""
    names = await connection.fetchval("select unseen from control_lineage")
    return set(names.split(",")) if names else set()
