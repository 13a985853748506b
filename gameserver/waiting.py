"""A bell that wakes everybody who waits for it."""

import asyncio
import contextlib
from collections.abc import Iterable


class Bell:
    def __init__(self) -> None:
        self._next = asyncio.Event()

    def ring(self) -> None:
        self._next.set()
        self._next = asyncio.Event()

    def next(self) -> asyncio.Event:
        """What the next ring sets; to be taken before looking whether there is something to do."""
        return self._next


async def rung(event: asyncio.Event, seconds: float) -> None:
    """Waits for a ring, and for no longer than that."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


CANCEL_SECONDS = 0.5


async def end(tasks: Iterable[asyncio.Future[None]]) -> None:
    """Cancels until all have ended: a driver that is just getting its answer may swallow a cancellation."""
    pending, cancelled = set(tasks), False
    while pending:
        for task in pending:
            task.cancel()
        try:
            _, pending = await asyncio.wait(pending, timeout=CANCEL_SECONDS)
        except asyncio.CancelledError:
            pending, cancelled = {task for task in pending if not task.done()}, True
    if cancelled:
        raise asyncio.CancelledError
