"""Which deployment a database is of and what its name is there, so that none is taken for another at a wrong address.

Law: the control database has the deployment's id, which is made once. Each group's tables carry it, with the name of
their database, from the first `migrate` or `databases add` on; neither is written over while the database owns a slot
or the map gives its name one.

Every connection compares both, and so does whoever compares slots with the map: what is something else is refused. Only
the control database may have another name than its `control_identity` says: nothing but the settings names it.

What this can't see: a copy of a whole deployment says what the original says.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import asyncpg

from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.driver import DriverConnection

GROUPS = ("accounts", "control", "items", "players")
_PRESENT = "select g from unnest($1::text[]) as g where to_regclass('public.' || g || '_identity') is not null"


class DatabaseIdentity(NamedTuple):
    """What a database says of itself by the tables of one group."""

    group: str
    deployment: str
    name: str


class Deployment:
    """What one process knows of its deployment: its id, once the control database has said it."""

    def __init__(self, control: str, said: Sequence[DatabaseIdentity] = ()) -> None:
        """`said` is what the control database says, if it has been asked."""
        self._control, self.id = control, said[0].deployment if said else ""

    def mismatch(self, database: Database, found: Sequence[DatabaseIdentity]) -> str | None:
        """Why the database isn't the one that is meant; None if it is, as far as is known."""
        if database.name == self._control and found and not self.id:
            self.id = found[0].deployment
        return mismatch(database.name, found, self.id, self._control)


def recorded(group: str) -> str:
    """The expression of SQL by which a group's tables say who they are; null before they know."""
    return f"(select '{group} ' || deployment || ' ' || name from {group}_identity)"  # noqa: S608


def parsed(rows: Iterable[str | None]) -> list[DatabaseIdentity]:
    """What such expressions came to."""
    return [DatabaseIdentity(*row.split(" ", 2)) for row in rows if row]


async def present(connection: DriverConnection) -> list[str]:
    """The groups whose tables the database has, and by which it may say who it is."""
    return [row["g"] for row in await connection.fetch(_PRESENT, GROUPS)]


async def read(connection: asyncpg.Connection, groups: Iterable[str] | None = None) -> list[DatabaseIdentity]:
    """What the database of this connection says: by the tables of these groups, or of whichever are there."""
    names = sorted(groups) if groups is not None else await present(connection)
    if not names:
        return []
    return parsed(await connection.fetchval(f"select array[{', '.join(map(recorded, names))}]"))


def mismatch(name: str, found: Iterable[DatabaseIdentity], deployment: str | None, control: str) -> str | None:
    """Why what is found at the address of a database isn't that; behind the last colon stands what to do.

    `control` is the name of the control database.
    """
    for identity in found:
        foreign = bool(deployment) and identity.deployment != deployment
        if identity.name != name and not (identity.group == "control" and name == control):
            whose = " of another deployment" if foreign else ""
            return f"at the address of the database {name} is {identity.name}{whose}: correct the URL of {name}"
        if foreign:
            return (
                f"at the address of the database {name} is one of another deployment than at that of the control "
                "database: correct whichever URL is wrong"
            )
    return None


async def stamp(connection: DriverConnection, identity: DatabaseIdentity, *, anew: bool = False) -> None:
    """Tells a group's tables who they are, unless they know; `anew` also if they do. The control database's name may
    have changed."""
    what = "update set name = excluded.name" if identity.group == "control" else "nothing"
    if anew:
        what = "update set deployment = excluded.deployment, name = excluded.name"
    await connection.execute(
        f"insert into {identity.group}_identity (id, deployment, name) values (1, $1, $2) on conflict (id) do {what}",  # noqa: S608
        identity.deployment,
        identity.name,
    )
