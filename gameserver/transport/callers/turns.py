"""How many requests and frames of one address a node takes before the loop turns to others.

Law: in one turn of the loop a node takes A_TURN requests and frames of an address, however many connections and sockets
it has, in the order in which they wait; so nobody makes a turn long, and what others commit in several turns isn't held
up by a burst that its limits allow.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Hashable

A_TURN = 4


class AddressTurns:
    """One per node. What waits is bounded by the connections that an address may have."""

    def __init__(self) -> None:
        self._taken: Counter[Hashable] = Counter()
        """What was taken in this turn; while anybody waits, or has taken one, the next turn is on its way."""
        self._waiting: dict[Hashable, deque[asyncio.Future[None]]] = {}

    def take(self, whose: Hashable) -> asyncio.Future[None] | None:
        """Takes a place of this turn; if there is none, returns what ends in a later one, after those that wait."""
        if whose not in self._waiting and self._taken[whose] < A_TURN:
            if not self._taken:
                asyncio.get_running_loop().call_soon(self._turn)
            self._taken[whose] += 1
            return None
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(whose, deque()).append(turn)
        return turn

    def _turn(self) -> None:
        self._taken.clear()
        for whose, waiting in list(self._waiting.items()):
            while waiting and self._taken[whose] < A_TURN:
                if not (turn := waiting.popleft()).done():  # else its connection has ended
                    turn.set_result(None)
                    self._taken[whose] += 1
            if not waiting:
                del self._waiting[whose]
        if self._taken:
            asyncio.get_running_loop().call_soon(self._turn)
