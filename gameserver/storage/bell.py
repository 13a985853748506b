"""A bell that wakes everybody who waits for it."""

import asyncio
import contextlib


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
