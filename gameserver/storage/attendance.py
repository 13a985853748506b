"""Keeps work going for each database that owns slots of a group, as slots move and databases join and leave."""

import asyncio
from collections.abc import Callable, Collection, Coroutine
from typing import Any

from gameserver.storage.databases import Database
from gameserver.storage.slots import Slots

LOOK_SECONDS = 0.5
CANCEL_SECONDS = 0.5


async def attend(slots: Slots, group: str, work: Callable[[Database], Coroutine[Any, Any, None]]) -> None:
    """One task of `work` for each database of the group, until cancelled.

    A task that ends by itself ends all of them, with its exception.
    """
    tasks: dict[str, asyncio.Task[None]] = {}
    try:
        while True:
            present = {each.name: each for each in slots.databases(group)}
            await ended([tasks.pop(name) for name in tasks.keys() - present.keys()])
            for name in present.keys() - tasks.keys():
                tasks[name] = asyncio.create_task(work(present[name]))
            done, _ = await asyncio.wait(tasks.values(), timeout=LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
                raise RuntimeError(f"work for the databases of {group} has ended by itself")
    finally:
        await ended(list(tasks.values()))


async def ended(tasks: Collection[asyncio.Task[None]]) -> None:
    """Cancels tasks until they have ended: a driver that is just getting its answer may swallow a cancellation."""
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        done, pending = await asyncio.wait(pending, timeout=CANCEL_SECONDS)
        for task in done:
            if not task.cancelled():
                task.exception()
