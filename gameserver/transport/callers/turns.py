"""How soon a node takes what one address sends: requests and frames, over all its connections and sockets.

Law: of an address a node takes AT_ONCE at once, and then one for each interval; those beyond wait in their order. What
costs more than most is charged for, as so many intervals that the next ones wait for. While the node is busy, intervals
are up to STRETCH times as long: who waits here leaves others what they need, however dear its requests are and whoever
shares the processor. Players whom the node knows have a little of their own besides, so that those who share an
address, as a school does, hardly wait for each other, and not at all for one of them that floods.

It is the algorithm of `rules.pacing` with a wait in place of a refusal. Who is at rest equals an unknown one, so what
is remembered is of the present and the previous period, as in commands/pacing.py.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Hashable

AT_ONCE = 16
PLAYERS_TURN = 0.25
"""Seconds, of what each known player has besides."""
TOGETHER = 2
"""Of those that wait, so many are taken at a time: one by one each would cost more."""
LONGEST_TURN = 0.002
"""Seconds, however little an address may send for long: what a burst allows comes soon."""
SHARE = 0.1
"""Of a node's time, for what is charged for: what one address has of it at the most, for long."""
ENTRY_SECONDS = 20e-6
"""What a place of a board, or a player, that is looked up costs a node and its servers."""
BYTE_SECONDS, FREE_BYTES = 25e-9, 1024
"""What a byte costs of what comes in one piece; pieces of so many are as any other."""
LONGEST_DEBT = 2.0
"""Seconds that an address may be behind with what it was charged for."""
FREE, BUSY, STRETCH = 0.3, 0.5, 8.0
"""Where the node is busy for so much of its time, intervals begin to be longer, and are so many times as long."""
PERIOD = 10.0
LARGEST_TABLE = 50_000


class PacedTurns:
    """One per node and kind; `interval` in seconds. An address may have as many wait as it may have connections."""

    def __init__(self, interval: float, busy: Callable[[], float] = lambda: 0.0) -> None:
        """`busy` says for what share of its time the node is."""
        self._interval, self._busy, self._stretch = interval, busy, 1.0
        self._present: dict[Hashable, float] = {}
        """When each is at rest again."""
        self._past: dict[Hashable, float] = {}
        self._until = 0.0
        self._waiting: dict[Hashable, deque[asyncio.Future[None]]] = {}
        """While any of the same wait, `_call` is on its way."""

    def __len__(self) -> int:
        return len(self._present) + len(self._past)

    def take(self, whose: Hashable) -> bool:
        """Takes a turn if one is due, and nobody of the same waits for it."""
        now, step = time.monotonic(), self._interval * self._stretch
        rest = self._rest(whose, now)
        if rest - now > step * (AT_ONCE - 1) or whose in self._waiting:
            return False
        self._present[whose] = rest + step
        return True

    def wait(self, whose: Hashable) -> asyncio.Future[None]:
        """What ends when its turn has come, after those that wait."""
        turn = asyncio.get_running_loop().create_future()
        if whose not in self._waiting:
            self._waiting[whose] = deque()
            self._call_later(whose, now := time.monotonic(), self._rest(whose, now))
        self._waiting[whose].append(turn)
        return turn

    def charge(self, whose: Hashable, seconds: float) -> None:
        """Has the next ones wait for so much of the node's time as this one takes more than others."""
        now = time.monotonic()
        debt = self._rest(whose, now) + seconds / SHARE * self._stretch
        self._present[whose] = min(debt, now + LONGEST_DEBT)

    def _rest(self, whose: Hashable, now: float) -> float:
        if now > self._until or len(self._present) >= LARGEST_TABLE:
            self._past, self._present, self._until = self._present, {}, now + PERIOD
        rest = self._present.get(whose)
        if rest is None:
            rest = self._past.get(whose, now)
        return max(rest, now)

    def _call_later(self, whose: Hashable, now: float, rest: float) -> None:
        due = max(now + LONGEST_TURN, rest - self._interval * self._stretch * (AT_ONCE - TOGETHER))
        asyncio.get_running_loop().call_later(due - now, self._call, whose)

    def _call(self, whose: Hashable) -> None:
        """Calls those whose turn it is."""
        now, waiting = time.monotonic(), self._waiting[whose]
        beyond = min(1.0, max(0.0, (self._busy() - FREE) / (BUSY - FREE)))
        self._stretch = 1.0 + (STRETCH - 1.0) * beyond
        rest, step = self._rest(whose, now), self._interval * self._stretch
        called = 0
        while waiting and called < TOGETHER and rest - now <= step * (AT_ONCE - 1):
            if not (turn := waiting.popleft()).done():  # else its connection has ended
                turn.set_result(None)
                rest, called = rest + step, called + 1
        self._present[whose] = rest
        if waiting:
            self._call_later(whose, now, rest)
        else:
            del self._waiting[whose]


class AddressTurns(PacedTurns):
    """What an address may send, and besides what each player may whom the node knows."""

    def __init__(self, interval: float, busy: Callable[[], float]) -> None:
        super().__init__(interval, busy)
        self._players = PacedTurns(PLAYERS_TURN)

    def admit(self, address: Hashable, player: Callable[[], int | None]) -> asyncio.Future[None] | None:
        """Takes a turn; if none is due, returns what ends when there is. `player` is asked where it matters."""
        if self.take(address) or ((known := player()) is not None and self._players.take(known)):
            return None
        return self.wait(address)

    def charge_entries(self, address: Hashable, count: int) -> None:
        """Charges for so many places or players that are looked up."""
        self.charge(address, count * ENTRY_SECONDS)

    def charge_bytes(self, address: Hashable, size: int) -> None:
        """Charges for a body, or for what a socket was sent at once."""
        if size > FREE_BYTES:
            self.charge(address, size * BYTE_SECONDS)
