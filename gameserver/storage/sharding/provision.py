"""Sets databases up for nodes: tables at the heads of their histories, and an owner for every slot."""

from pydantic import SecretStr
from sqlalchemy import select

from gameserver.config.settings import Settings
from gameserver.rules.errors import Conflict
from gameserver.storage import tables
from gameserver.storage.postgres.database import Database, Databases
from gameserver.storage.sharding import placing
from gameserver.storage.sharding.records import MoveRecords
from gameserver.storage.slots import slot_map
from gameserver.storage.tables import migrations


def open_databases(settings: Settings, *, patient: bool = False) -> Databases:
    """Every database that the settings name; `patient` for migrations. Raises ConfigFault."""
    urls = {name: settings.database_url(name) for name in settings.databases}
    return Databases(urls, settings.passfile, patient=patient)


async def require_ready(settings: Settings, databases: Databases) -> None:
    """Refuses databases that nodes can't work on. Raises OutdatedDatabase, IncompleteMap, DatabaseUnavailable."""
    control = databases[settings.control.database]
    groups = {name: [databases[member] for member in group.databases] for name, group in settings.groups.items()}
    if await migrations.current(control, "control") == migrations.head("control"):
        groups = await members(settings, databases)
    await migrations.require_heads({"control": [control], **groups})


async def members(settings: Settings, databases: Databases) -> dict[str, list[Database]]:
    """The databases of each group: its recorded members or, before it is set up, those that the settings name.

    Raises IncompleteMap, DatabaseUnavailable.
    """
    control = databases[settings.control.database]
    async with control.snapshot() as connection:
        for name, url in await connection.execute(select(tables.databases)):
            if url is not None:
                databases.join(name, SecretStr(url))
        rows = (await connection.execute(select(tables.members).order_by(tables.members.c.database))).mappings().all()
    names = {group: [row["database"] for row in rows if row["group"] == group] for group in settings.groups}
    if unknown := {name for members in names.values() for name in members if name not in databases}:
        raise slot_map.IncompleteMap(
            f"{sorted(unknown)} are members of a group, but the settings name no such database"
        )
    return {
        name: [databases[member] for member in names[name] or group.databases]
        for name, group in settings.groups.items()
    }


def sizes(settings: Settings) -> dict[str, int]:
    """How many slots each group has."""
    return {name: group.slots for name, group in settings.groups.items()}


async def migrate(settings: Settings) -> None:
    """Brings every database to its head and every slot to an owner; safe to run again.

    Raises Conflict while slots of tables that would change are being moved, DatabaseUnavailable.
    """
    databases = open_databases(settings, patient=True)
    try:
        control = databases[settings.control.database]
        await migrations.upgrade(control, "control")
        groups = await members(settings, databases)
        moving = {move.group for move in await MoveRecords(control).unfinished()}
        for group, group_members in groups.items():
            for database in group_members:
                if group in moving and await migrations.current(database, group) != migrations.head(group):
                    raise Conflict(f"Slots of {group} are being moved: wait, or cancel that, before its tables change.")
                await migrations.upgrade(database, group)
        await placing.assign(control, groups, sizes(settings))
    finally:
        await databases.close()
