"""Which databases a group may use; they join, are drained and leave while players play."""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import SecretStr
from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from gameserver.rules.errors import Conflict
from gameserver.storage import tables
from gameserver.storage.postgres.database import Database
from gameserver.storage.slots.slot_map import CHANNEL

DATABASES, MEMBERS, MAP, MOVES = tables.databases, tables.members, tables.slots, tables.moves
_OPEN = MOVES.c.ended_at.is_(None)


@dataclass(frozen=True, slots=True)
class Member:
    """A database as a member of a group: how many of the group's slots it owns, and whether it is to lose them."""

    group: str
    database: str
    slots: int
    draining: bool


class Membership:
    """Every method raises DatabaseUnavailable while the control database is away."""

    def __init__(self, control: Database) -> None:
        self._control = control

    async def listed(self) -> Sequence[Member]:
        """All members, by group and database."""
        owned = (MAP.c.group == MEMBERS.c.group) & (MAP.c.database == MEMBERS.c.database)
        query = (
            select(MEMBERS.c.group, MEMBERS.c.database, func.count(MAP.c.slot), MEMBERS.c.draining)
            .join_from(MEMBERS, MAP, owned, isouter=True)
            .group_by(MEMBERS.c.group, MEMBERS.c.database, MEMBERS.c.draining)
            .order_by(MEMBERS.c.group, MEMBERS.c.database)
        )
        async with self._control.snapshot() as connection:
            return [Member(*row) for row in await connection.execute(query)]

    async def join(self, group: str, name: str, url: SecretStr | None) -> None:
        """Lets the group use a database; one that was being drained may be given slots again.

        With a `url` that is another one than before every node goes on there. Raises Conflict while a move is open that
        has a part in it: the servers hold its address.
        """
        async with self._control.transaction() as connection:
            secret = None if url is None else url.get_secret_value()
            moved = (DATABASES.c.name == name) & (DATABASES.c.url != secret)
            if secret is not None and (await connection.execute(select(DATABASES.c.name).where(moved))).first():
                await _require_unmoved(connection, name)
            known = upsert(DATABASES).values(name=name, url=secret)
            if secret is not None:
                known = known.on_conflict_do_update(index_elements=["name"], set_={"url": secret})
            await connection.execute(known if secret is not None else known.on_conflict_do_nothing())
            member = upsert(MEMBERS).values(group=group, database=name, draining=False)
            await connection.execute(
                member.on_conflict_do_update(index_elements=["group", "database"], set_={"draining": False})
            )
            await connection.execute(select(func.pg_notify(CHANNEL, group)))

    async def address(self, name: str) -> SecretStr | None:
        """The address by which a database joined that owns slots; None for all others."""
        owns = select(MAP.c.slot).where(MAP.c.database == name).exists()
        async with self._control.snapshot() as connection:
            url = (await connection.execute(select(DATABASES.c.url).where(DATABASES.c.name == name, owns))).scalar()
        return None if url is None else SecretStr(url)

    async def keep(self, name: str) -> None:
        """Revokes a drain."""
        async with self._control.transaction() as connection:
            await connection.execute(update(MEMBERS).where(MEMBERS.c.database == name).values(draining=False))

    async def leave(self, name: str) -> None:
        """Removes a database from its groups. Raises Conflict while it owns a slot or has a part in a move."""
        async with self._control.transaction() as connection:
            await _groups(connection, name)
            owned = (await connection.execute(select(func.count()).where(MAP.c.database == name))).scalar_one()
            if owned:
                raise Conflict(f"{name} owns {owned} slots: drain it first, by `databases drain {name}`.")
            await _require_unmoved(connection, name)
            await connection.execute(delete(MEMBERS).where(MEMBERS.c.database == name))
            await connection.execute(delete(DATABASES).where(DATABASES.c.name == name))
            await connection.execute(select(func.pg_notify(CHANNEL, name)))


async def drain(connection: AsyncConnection, name: str) -> list[str]:
    """Stops giving slots to a database, in the caller's transaction; returns its groups.

    Raises Conflict if it is the last one of a group, or if slots are being moved to it.
    """
    groups = await _groups(connection, name)
    for group in groups:
        if not await _others(connection, group, name):
            raise Conflict(f"{name} is the last database of {group}: add another one first.")
    if (await connection.execute(select(MOVES.c.id).where(MOVES.c.target == name, _OPEN))).first():
        raise Conflict(f"Slots are being moved to {name}: wait, or cancel that (`slots moves`).")
    await connection.execute(update(MEMBERS).where(MEMBERS.c.database == name).values(draining=True))
    return groups


async def _require_unmoved(connection: AsyncConnection, name: str) -> None:
    part = (MOVES.c.source == name) | (MOVES.c.target == name)
    if (await connection.execute(select(MOVES.c.id).where(part, _OPEN))).first():
        raise Conflict(f"{name} has a part in a move that isn't over: see `slots moves`.")


async def _groups(connection: AsyncConnection, name: str) -> list[str]:
    """The database's groups, with every membership locked, so that two drains at once don't drain everything.

    Raises Conflict for a database that no group uses.
    """
    rows = (await connection.execute(select(MEMBERS).order_by(MEMBERS.c.group).with_for_update())).mappings().all()
    groups = [row["group"] for row in rows if row["database"] == name]
    if not groups:
        known = ", ".join(sorted({row["database"] for row in rows}))
        raise Conflict(f"No group uses a database {name!r}: there are {known}.")
    return groups


async def _others(connection: AsyncConnection, group: str, name: str) -> bool:
    others = (MEMBERS.c.group == group) & (MEMBERS.c.database != name) & ~MEMBERS.c.draining
    return (await connection.execute(select(MEMBERS.c.database).where(others))).first() is not None
