"""How the bots' tasks wait: a pause that can be stopped, the first of several events, many calls up to a limit."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

Item = TypeVar("Item")
Returned = TypeVar("Returned")


async def pause(seconds: float, stop: asyncio.Event) -> bool:
    """Wait for `seconds` or until `stop` is set; returns whether it is set."""
    if seconds > 0 and not stop.is_set():
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await stop.wait()
    return stop.is_set()


async def first_of(seconds: float, *events: asyncio.Event) -> None:
    """Wait until one of the events is set, for at most `seconds`."""
    waits = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=max(0.0, seconds), return_when=asyncio.FIRST_COMPLETED)
    finally:
        await cancel_and_wait(*waits)


async def call_for_all(
    function: Callable[[Item], Awaitable[Returned]], items: Iterable[Item], *, at_once: int
) -> list[Returned]:
    """Call `function` for every item, at most `at_once` calls at a time; returns the results in the items' order.

    The first exception is raised, after the other calls have been cancelled.
    """
    room = asyncio.Semaphore(at_once)

    async def call(item: Item) -> Returned:
        async with room:
            return await function(item)

    tasks = [asyncio.create_task(call(item)) for item in items]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        await cancel_and_wait(*tasks)


async def cancel_and_wait(*tasks: asyncio.Future[Any]) -> None:
    """Cancel the tasks and wait for their end; their results and exceptions stay in them."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
