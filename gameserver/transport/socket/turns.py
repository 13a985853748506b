"""How many frames of one address a node takes before the loop turns to others.

Law: in one turn of the loop a node takes A_TURN frames of an address, however many sockets it has, in the order in
which they wait; so nobody makes a turn long, and what others commit in several turns isn't held up by them.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Hashable

A_TURN = 16


class FrameTurns:
    """One per node."""

    def __init__(self) -> None:
        self._taken: Counter[Hashable] = Counter()
        """Frames in this turn; while anybody waits, or has taken one, the next turn is on its way."""
        self._waiting: dict[Hashable, deque[asyncio.Future[None]]] = {}

    async def take(self, whose: Hashable) -> None:
        """Takes a frame of this turn, or, if there is none left, of a later one, after those that wait already."""
        if whose not in self._waiting and self._taken[whose] < A_TURN:
            if not self._taken:
                asyncio.get_running_loop().call_soon(self._turn)
            self._taken[whose] += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(whose, deque()).append(turn)
        await turn

    def _turn(self) -> None:
        self._taken.clear()
        for whose, waiting in list(self._waiting.items()):
            while waiting and self._taken[whose] < A_TURN:
                if not (turn := waiting.popleft()).done():  # else its socket has ended
                    turn.set_result(None)
                    self._taken[whose] += 1
            if not waiting:
                del self._waiting[whose]
        if self._taken:
            asyncio.get_running_loop().call_soon(self._turn)
