"""How tasks wait: a bell that wakes every waiter, the ends of several tasks, the next part of a stream."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Iterable, Sequence
from typing import Any, TypeVar

T = TypeVar("T")

CANCEL_SECONDS = 0.5
"""After which a task that still runs is cancelled again."""


class Bell:
    """Wakes every task that waits for its next ring."""

    def __init__(self) -> None:
        self._next = asyncio.Event()

    def ring(self) -> None:
        """Wake everyone who took `next` before."""
        self._next.set()
        self._next = asyncio.Event()

    def next(self) -> asyncio.Event:
        """What the next ring sets; to be taken before looking whether there is something to do."""
        return self._next


async def wait_at_most(event: asyncio.Event, seconds: float) -> None:
    """Waits for an event, and returns after `seconds` if it hasn't come."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


async def cancel_and_wait(tasks: Iterable[asyncio.Future[Any]], seconds: float = float("inf")) -> None:
    """Cancels tasks until all have ended, or `seconds` have passed; their results and exceptions stay in them.

    What tasks raise on their way out is for the caller to look at, and nothing that the loop reports as forgotten.

    One cancellation isn't enough: a driver that is just getting its answer may swallow it. If the caller itself is
    cancelled meanwhile, this goes on to its end and raises CancelledError then.
    """
    deadline = asyncio.get_running_loop().time() + seconds
    tasks = tuple(tasks)
    pending, cancelled = {task for task in tasks if not task.done()}, False
    while pending and asyncio.get_running_loop().time() < deadline:
        for task in pending:
            task.cancel()
        try:
            _, pending = await asyncio.wait(pending, timeout=CANCEL_SECONDS)
        except asyncio.CancelledError:
            pending, cancelled = {task for task in pending if not task.done()}, True
    for task in tasks:
        if task.done() and not task.cancelled():
            task.exception()
    if cancelled:
        raise asyncio.CancelledError


async def all_ended(works: Iterable[Awaitable[T]]) -> list[T]:
    """The results of what is done at the same time; the first error is raised once all have ended."""
    results = list[T]()
    for outcome in await asyncio.gather(*works, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome
        results.append(outcome)
    return results


async def next_part(parts: AsyncIterator[Sequence[T]]) -> Sequence[T]:
    """The next one, nothing at the end; Python 3.11's `anext` with a default fails in comprehensions."""
    async for part in parts:
        return part
    return ()
