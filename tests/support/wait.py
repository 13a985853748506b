"""Waiting for a condition with a deadline, in place of sleeping."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable

SHORTEST, LONGEST = 0.02, 0.2


async def wait_until(
    predicate: Callable[[], object] | Callable[[], Awaitable[object]],
    seconds: float = 10,
    what: str = "the condition",
) -> None:
    """Poll `predicate` until it holds; AssertionError naming `what` after `seconds`.

    The pause is as long as the look was, between 20 and 200 ms: looks that cost much leave room to what they wait for.
    """
    now = asyncio.get_running_loop().time
    end = now() + seconds
    while True:
        begun = now()
        outcome = predicate()
        if await outcome if inspect.isawaitable(outcome) else outcome:
            return
        if (looked := now()) > end:
            raise AssertionError(f"after {seconds:g} s still not: {what}")
        await asyncio.sleep(min(max(looked - begun, SHORTEST), LONGEST))
