"""One worker for each database of a group, as databases join and leave."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from gameserver.storage.postgres.database import Database
from gameserver.storage.slots.slot_map import Slots
from gameserver.waiting import cancel_and_wait

LOOK_SECONDS = 5.0


async def attend(slots: Slots, group: str, work: Callable[[Database], Coroutine[Any, Any, None]]) -> None:
    """Runs `work` once for each database that owns a slot of the group, until cancelled.

    Starts it for a database that gets its first slot, and cancels it for one that gives away its last. When one has
    ended it ends all, and raises what they raised as a group: those that share a connection fail together.
    """
    tasks: dict[str, asyncio.Task[None]] = {}
    try:
        while not any(task.done() for task in tasks.values()):
            owners = {database.name: database for database in slots.databases(group)}
            for name in owners.keys() - tasks.keys():
                tasks[name] = asyncio.create_task(work(owners[name]))
            await cancel_and_wait([tasks.pop(name) for name in tasks.keys() - owners.keys()])
            changed = asyncio.ensure_future(slots.changed(LOOK_SECONDS))
            try:
                await asyncio.wait([changed, *tasks.values()], return_when=asyncio.FIRST_COMPLETED)
            finally:
                await cancel_and_wait([changed])
    finally:
        await cancel_and_wait(tasks.values())
    failed = [error for task in tasks.values() if not task.cancelled() and (error := task.exception()) is not None]
    if failed:
        raise BaseExceptionGroup(f"workers of {group} have failed", failed)
