"""Waiting for a condition with a deadline, in place of sleeping."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable


async def wait_until(
    predicate: Callable[[], object] | Callable[[], Awaitable[object]],
    seconds: float = 10,
    what: str = "the condition",
) -> None:
    """Poll `predicate` every 20 ms until it holds; AssertionError naming `what` after `seconds`."""
    end = asyncio.get_running_loop().time() + seconds
    while True:
        outcome = predicate()
        if await outcome if inspect.isawaitable(outcome) else outcome:
            return
        if asyncio.get_running_loop().time() > end:
            raise AssertionError(f"after {seconds:g} s still not: {what}")
        await asyncio.sleep(0.02)
