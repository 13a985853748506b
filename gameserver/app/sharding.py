"""What moves slots between databases, and shows where they are."""

import contextlib
import os
import secrets
from collections.abc import AsyncIterator
from functools import partial

from gameserver.app import patroni_watch
from gameserver.commands.sharding import ProgressBook, Sharding
from gameserver.config.settings import Settings
from gameserver.storage.operators.audit import Audit
from gameserver.storage.postgres.databases import Databases
from gameserver.storage.sharding import provision
from gameserver.storage.sharding.membership import Membership
from gameserver.storage.sharding.mover import Mover
from gameserver.storage.sharding.records import MoveRecords
from gameserver.storage.slots.slot_map import Slots


@contextlib.asynccontextmanager
async def open_sharding(settings: Settings) -> AsyncIterator[Sharding]:
    """The slot map and what moves slots, also while some databases are away, or Redis.

    Raises ConfigFault, OutdatedDatabase, IncompleteMap, DatabaseUnavailable.
    """
    databases = provision.open_databases(settings)
    try:
        await provision.require_control(settings, databases)
        slots = Slots(databases[settings.control.database], databases, provision.sizes(settings))
        await slots.refresh()
        yield sharding_of(settings, databases, slots)
    finally:
        await databases.close()


def sharding_of(settings: Settings, databases: Databases, slots: Slots) -> Sharding:
    """The commands on slots, in this process's name."""
    control = databases[settings.control.database]
    moves = MoveRecords(control)
    name = f"{settings.node.name or settings.node.host}, process {os.getpid()}, {secrets.token_hex(4)}"
    mover = Mover(moves, databases, name, partial(patroni_watch.objection, settings))
    return Sharding(slots, Membership(control), moves, mover, Audit(control), ProgressBook())
