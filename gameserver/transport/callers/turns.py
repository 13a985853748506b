"""How many requests and frames of one address a node takes before it turns to others.

Law: in one turn of the loop a node takes A_TURN requests and frames of an address, however many connections and sockets
it has; those beyond wait in their order, and are taken A_TURN at a time with a pause in between. So nobody makes a turn
long, what others commit in several turns isn't held up by a burst that its limits allow, and neither the node nor who
shares its processor works on one address for as long as a burst takes. With the pause that the settings give, that is
at least A_TURN times what an address may send for long.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Hashable

A_TURN = 4
LONGEST_PAUSE = 0.002
"""Seconds, however little an address may send for long: what a burst allows comes soon."""


class AddressTurns:
    """One per node; `pause` in seconds. What waits is bounded by the connections that an address may have."""

    def __init__(self, pause: float) -> None:
        self._pause = min(pause, LONGEST_PAUSE)
        self._taken: Counter[Hashable] = Counter()
        """What was taken in this turn of the loop; the next one clears it."""
        self._waiting: dict[Hashable, deque[asyncio.Future[None]]] = {}
        """While anybody waits, `_call` is on its way."""

    def take(self, whose: Hashable) -> asyncio.Future[None] | None:
        """Takes a place of this turn; if there is none, returns what ends in a later one, after those that wait."""
        if whose not in self._waiting and self._taken[whose] < A_TURN:
            self._note(whose)
            return None
        loop = asyncio.get_running_loop()
        turn = loop.create_future()
        if not self._waiting:
            loop.call_later(self._pause, self._call)
        self._waiting.setdefault(whose, deque()).append(turn)
        return turn

    def _note(self, whose: Hashable) -> None:
        if not self._taken:
            asyncio.get_running_loop().call_soon(self._taken.clear)
        self._taken[whose] += 1

    def _call(self) -> None:
        """Calls the next ones of each address."""
        for whose, waiting in list(self._waiting.items()):
            while waiting and self._taken[whose] < A_TURN:
                if not (turn := waiting.popleft()).done():  # else its connection has ended
                    turn.set_result(None)
                    self._note(whose)
            if not waiting:
                del self._waiting[whose]
        if self._waiting:
            asyncio.get_running_loop().call_later(self._pause, self._call)
