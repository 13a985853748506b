"""Counts the turns of an event loop."""

import asyncio


class LoopTurns:
    """Counts the turns of the loop until it is stopped."""

    def __init__(self) -> None:
        self.number = 0
        self._next = asyncio.get_running_loop().call_soon(self._count)

    def _count(self) -> None:
        self.number += 1
        self._next = asyncio.get_running_loop().call_soon(self._count)

    def stop(self) -> None:
        self._next.cancel()
