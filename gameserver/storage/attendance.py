"""One worker for every database of a group, as databases join and leave."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from gameserver.storage.databases import Database
from gameserver.storage.slots import Slots

LOOK_SECONDS = 5.0


async def attend(slots: Slots, group: str, work: Callable[[Database], Coroutine[Any, Any, None]]) -> None:
    """Runs `work` once for each database that owns a slot of the group, until cancelled; raises what one raises.

    Starts it for one that gets its first slot, and cancels it for one that has given away its last.
    """
    tasks: dict[str, asyncio.Task[None]] = {}
    async with asyncio.TaskGroup() as running:
        while True:
            owners = {each.name: each for each in slots.databases(group)}
            for name in owners.keys() - tasks.keys():
                tasks[name] = running.create_task(work(owners[name]))
            for name in tasks.keys() - owners.keys():
                tasks.pop(name).cancel()
            await slots.changed(LOOK_SECONDS)
