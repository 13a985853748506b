"""Makes databases fit for nodes: tables at the head of their histories, and an owner for every slot."""

from collections.abc import Mapping

from gameserver.config import Settings
from gameserver.storage import migrations, slots
from gameserver.storage.databases import Database, Databases


def open_databases(settings: Settings, *, patient: bool = False) -> Databases:
    """Every database that the settings name; `patient` for migrations. Raises ConfigFault."""
    return Databases({name: settings.database_url(name) for name in settings.databases}, patient=patient)


def members(settings: Settings, databases: Databases) -> Mapping[str, list[Database]]:
    """The databases of each group, and that of the control tables."""
    groups = {name: [databases[each] for each in group.databases] for name, group in settings.groups.items()}
    return {"control": [databases[settings.control.database]], **groups}


def sizes(settings: Settings) -> dict[str, int]:
    """How many slots each group has."""
    return {name: group.slots for name, group in settings.groups.items()}


async def migrate(settings: Settings) -> None:
    """Brings every database to its head and every slot to an owner; safe to run again. Raises DatabaseUnavailable."""
    databases = open_databases(settings, patient=True)
    try:
        found = members(settings, databases)
        for group, own in found.items():
            for database in own:
                await migrations.upgrade(database, group)
        groups = {group: own for group, own in found.items() if group != "control"}
        await slots.assign(found["control"][0], groups, sizes(settings))
    finally:
        await databases.close()
