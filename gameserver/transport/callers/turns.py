"""How soon a node takes what one address sends: requests and frames, over all its connections and sockets.

Law: of an address a node takes AT_ONCE at once, and then one for each interval; those beyond wait in their order. What
costs more than most is charged for, as so many intervals that the next ones wait for. While the node is busy, intervals
are up to STRETCH times as long: who waits here leaves others what they need, whoever shares the processor. Players whom
the node knows have a little of their own besides, so that those who share an address, as a school does, hardly wait for
each other, and not at all for one of them that floods. Whatever is charged, some of those that wait are taken each
LONGEST_DEBT; and a request that would wait for longer than LONGEST_WAIT is refused.

It is the algorithm of `rules.pacing` with a wait in place of a refusal. Who is at rest equals an unknown one, so what
is remembered is of the present and the previous period, as in commands/pacing.py.
"""

import asyncio
import math
import time
from collections import Counter, deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import NamedTuple

from gameserver.rules.errors import RateLimited
from gameserver.telemetry import denied

KIND = "requests_per_address"
AT_ONCE = 16
"""While the node isn't busy; else what comes in the same time."""
PLAYERS_TURN, PLAYERS_AT_ONCE = 0.25, 4
"""Seconds, of what each known player has besides; and how many."""
TOGETHER = 2
"""Of those that wait, so many are taken at a time: one by one each would cost more."""
LONGEST_TURN = 0.002
"""Seconds, however little an address may send for long: what a burst allows comes soon."""
LONGEST_WAIT = 4.0
"""Seconds: far less than proxies and clients wait for an answer."""
SHARE = 0.1
"""Of a node's time, for what is charged for: what one address has of it at the most, for long; less if it is busy."""
ENTRY_SECONDS = 20e-6
"""What a place of a board, or a player, that is looked up costs a node and its servers."""
BYTE_SECONDS, FREE_BYTES = 25e-9, 1024
"""What a byte costs of what comes in one piece; pieces of so many are as any other."""
DENIED_SECONDS = 200e-6
"""What it costs to refuse a request of who goes on asking."""
LONGEST_DEBT = 0.5
"""Seconds for which what was charged holds up an address at the most."""
FREE, BUSY = 0.3, 0.5
"""Where the node is busy for so much of its time, intervals begin to be longer, and are longest."""
STRETCH, CHARGED_STRETCH = 8.0, 4.0
"""So many times as long, and what is charged for counts so many times."""
LOOK_SECONDS = 0.05
"""How old what is known of that may be."""
PERIOD = 10.0
LARGEST_TABLE = 50_000


def _too_many(seconds: float) -> RateLimited:
    """The error for a request that would wait for longer than it may."""
    denied(KIND).inc()
    return RateLimited("Too many requests of this address wait.", retry_after=round(seconds, 3))


class _Waiter(NamedTuple):
    """`until` is when it is refused in place of a turn."""

    turn: asyncio.Future[None]
    until: float


@dataclass(slots=True)
class _Queue:
    """Those of one that wait, and since when none of them was taken."""

    since: float
    waiters: deque[_Waiter] = field(default_factory=deque)


class PacedTurns:
    """One per node and kind; `interval` in seconds."""

    def __init__(self, interval: float, busy: Callable[[], float] = lambda: 0.0, at_once: int = AT_ONCE) -> None:
        """`busy` says for what share of its time the node is."""
        self._interval, self._busy = interval, busy
        self._at_once, self._tolerance = at_once, interval * (at_once - 1)
        self._step, self._factor, self._look_at = interval, 1.0 / SHARE, 0.0
        self._present: dict[Hashable, float] = {}
        """When each is at rest again."""
        self._past: dict[Hashable, float] = {}
        self._until = 0.0
        self._waiting: dict[Hashable, _Queue] = {}
        """While any of the same wait, `_call` is on its way."""

    def __len__(self) -> int:
        return len(self._present) + len(self._past)

    def take(self, whose: Hashable) -> bool:
        """Takes a turn if one is due, and nobody of the same waits for it."""
        now = time.monotonic()
        if now >= self._look_at:
            self._look(now)
        rest = self._rest(whose, now)
        if rest - now > self._tolerance or whose in self._waiting:
            return False
        self._present[whose] = rest + self._step
        return True

    def delay(self, whose: Hashable) -> float:
        """For how many seconds, about, who begins to wait now does."""
        now, queue = time.monotonic(), self._waiting.get(whose)
        waiting = 0 if queue is None else len(queue.waiters)
        return max(0.0, self._rest(whose, now) - now - self._tolerance + self._step * waiting)

    def wait(self, whose: Hashable, seconds: float = math.inf) -> asyncio.Future[None]:
        """What ends when its turn has come, after those that wait; with RateLimited if it hasn't after so long."""
        turn, now = asyncio.get_running_loop().create_future(), time.monotonic()
        if (queue := self._waiting.get(whose)) is None:
            queue = self._waiting[whose] = _Queue(now)
            self._call_later(whose, now, self._rest(whose, now))
        queue.waiters.append(_Waiter(turn, now + seconds))
        return turn

    def charge(self, whose: Hashable, seconds: float) -> None:
        """Has the next ones wait for so much of the node's time as this one takes more than others."""
        now = time.monotonic()
        rest = self._rest(whose, now)
        self._present[whose] = max(rest, min(rest + seconds * self._factor, now + self._tolerance + LONGEST_DEBT))

    def _look(self, now: float) -> None:
        beyond = min(1.0, max(0.0, (self._busy() - FREE) / (BUSY - FREE)))
        self._step = self._interval * (1.0 + (STRETCH - 1.0) * beyond)
        self._factor = (1.0 + (CHARGED_STRETCH - 1.0) * beyond) / SHARE
        self._look_at = now + LOOK_SECONDS

    def _rest(self, whose: Hashable, now: float) -> float:
        if now > self._until or len(self._present) >= LARGEST_TABLE:
            self._past, self._present, self._until = self._present, {}, now + PERIOD
        rest = self._present.get(whose)
        if rest is None:
            rest = self._past.get(whose, now)
        return max(rest, now)

    def _call_later(self, whose: Hashable, now: float, rest: float) -> None:
        due = min(rest - self._tolerance + self._step, self._waiting[whose].since + LONGEST_DEBT)
        asyncio.get_running_loop().call_later(max(LONGEST_TURN, due - now), self._call, whose)

    def _call(self, whose: Hashable) -> None:
        """Calls those whose turn it is; if there has been none for long, some in any case."""
        now, queue = time.monotonic(), self._waiting[whose]
        self._look(now)
        rest = self._rest(whose, now)
        is_overdue, called = now - queue.since >= LONGEST_DEBT, 0
        most = min(self._at_once, max(TOGETHER, math.ceil(LONGEST_TURN / self._step)))
        while queue.waiters and called < most and (is_overdue or rest - now <= self._tolerance):
            turn, until = queue.waiters.popleft()
            if turn.done():  # its connection has ended, or it has had a turn of another kind
                continue
            if now > until:
                turn.set_exception(_too_many(LONGEST_WAIT))
                continue
            turn.set_result(None)
            rest, called, queue.since = rest + self._step, called + 1, now
        self._present[whose] = rest
        if queue.waiters:
            self._call_later(whose, now, rest)
        else:
            del self._waiting[whose]


class AddressTurns(PacedTurns):
    """What an address may send, and besides what each player may whom the node knows."""

    def __init__(self, interval: float, busy: Callable[[], float]) -> None:
        super().__init__(interval, busy)
        self._players = PacedTurns(PLAYERS_TURN, at_once=PLAYERS_AT_ONCE)
        self._offered = Counter[int]()
        """How many of each player wait that a turn of its own is kept for."""

    def admit(self, address: Hashable, player: Callable[[], int | None]) -> asyncio.Future[None] | None:
        """Takes a turn for a request; if none is due, returns what ends when there is, or with RateLimited.

        `player` is asked where it matters. Raises RateLimited where too many wait.
        """
        if self.take(address):
            return None
        return self._own(player(), address, LONGEST_WAIT)

    def admit_frame(self, address: Hashable, player: Callable[[], int | None]) -> asyncio.Future[None] | None:
        """The same for a frame of a socket, which is read no further meanwhile, so that no more of it waits."""
        if self.take(address):
            return None
        return self._own(player(), address, math.inf)

    def _own(self, player: int | None, address: Hashable, seconds: float) -> asyncio.Future[None] | None:
        """Takes a turn of the player's own, or else the first that comes, of its own or of the address."""
        if player is not None and self._players.take(player):
            return None
        own = math.inf
        if player is not None and (offered := self._offered[player]) < AT_ONCE:
            own = self._players.delay(player) + PLAYERS_TURN * offered
        if (delay := min(own, self.delay(address))) > seconds:
            raise _too_many(delay)
        turn = self.wait(address, seconds)
        if player is not None and own < math.inf:
            self._offered[player] += 1
            turn.add_done_callback(lambda _: self._forget(player))
            self._offer(player, turn, own)
        return turn

    def _forget(self, player: int) -> None:
        self._offered[player] -= 1
        if not self._offered[player]:
            del self._offered[player]

    def _offer(self, player: int, turn: asyncio.Future[None], seconds: float) -> None:
        """Ends what waits with a turn of the player's own, once one is due."""

        def take() -> None:
            if turn.done():
                return
            if self._players.take(player):
                turn.set_result(None)
            else:
                self._offer(player, turn, self._players.delay(player))

        asyncio.get_running_loop().call_later(max(LONGEST_TURN, seconds), take)

    def charge_entries(self, address: Hashable, count: int) -> None:
        """Charges for so many places or players that are looked up."""
        self.charge(address, count * ENTRY_SECONDS)

    def charge_denial(self, address: Hashable) -> None:
        """Charges for a request that a limit has refused."""
        self.charge(address, DENIED_SECONDS)

    def charge_bytes(self, address: Hashable, size: int) -> None:
        """Charges for a body, or for what a socket was sent at once."""
        if size > FREE_BYTES:
            self.charge(address, size * BYTE_SECONDS)
