"""How many frames a socket may send, and all sockets of an address.

A socket that sends more is closed. Of an address that sends more, which may be a whole school, the node reads each
socket more slowly: at least PAUSE_SECONDS between two frames.
"""

import asyncio
import time
from collections.abc import Callable

from aiohttp import web

from gameserver.commands.pacing import ActionPacing
from gameserver.rules.errors import RateLimited
from gameserver.rules.pacing import Pace
from gameserver.telemetry import denied
from gameserver.transport.callers.callers import CALLERS, is_backend
from gameserver.transport.callers.turns import AT_ONCE, AddressTurns
from gameserver.transport.socket.channel import SocketChannel
from gameserver.transport.wire import Close, TooManyMessages

KIND = "frames_per_socket"
PAUSE_SECONDS = 0.1


class FramePacing:
    """One per socket; a pace of None admits everything. `clock` gives nanoseconds and never goes back."""

    __slots__ = (
        "_address",
        "_by_address",
        "_clock",
        "_interval",
        "_player",
        "_rest",
        "_taken",
        "_tolerance",
        "_turns",
        "held_up",
    )

    def __init__(
        self,
        pace: Pace | None,
        clock: Callable[[], int] = time.monotonic_ns,
        by_address: ActionPacing | None = None,
        address: str | None = None,
        turns: AddressTurns | None = None,
        player: Callable[[], int | None] = lambda: None,
    ) -> None:
        """`by_address` counts the frames of all sockets of `address`, and `turns` spreads them.

        `player` tells whose the socket is, once it has said hello.
        """
        self._clock, self._by_address, self._address = clock, by_address, address
        self._interval, self._tolerance = (pace.interval, pace.tolerance) if pace is not None else (0, 0)
        self._rest = 0
        self.held_up = 0.0
        """While a frame waits for others of its address: after how many seconds there may be room for it."""
        self._turns, self._player = turns, player
        self._taken = 0
        """Without turns: how many were taken."""

    def admits(self, channel: SocketChannel) -> bool:
        """Counts a frame; ends the socket when there are too many. A copy of `Pace`, since it runs for every frame."""
        now = self._clock()
        rest = self._rest
        if rest < now:
            rest = now
        elif rest - now > self._tolerance:
            denied(KIND).inc()
            channel.fail(TooManyMessages("This socket sends more frames than it may."), Close.TOO_MANY)
            return False
        self._rest = rest + self._interval
        return True

    def charge(self, seconds: float, size: int = 0) -> None:
        """Charges the address for what costs so long, and for so many bytes that came at once."""
        if self._address is not None and self._turns is not None:
            self._turns.charge(self._address, seconds)
            self._turns.charge_bytes(self._address, size)

    async def wait(self, *, is_first: bool = False) -> None:
        """Waits, after a frame was admitted, until others of its address leave room for it.

        The first one of a socket takes no turn: the upgrade had one, and it mustn't wait behind other upgrades.
        """
        while seconds := self._pause():
            self.held_up = seconds
            await asyncio.sleep(seconds)
        if self._address is None or self._turns is None or is_first:
            await self._yield_to_others()
        elif (turn := self._turns.admit_frame(self._address, self._player)) is not None:
            self.held_up = PAUSE_SECONDS
            await turn
        self.held_up = 0.0

    async def _yield_to_others(self) -> None:
        """Lets the loop turn, so that nobody with much to say makes a turn of it long."""
        self._taken += 1
        if self._taken % AT_ONCE == 0:
            await asyncio.sleep(0)

    def _pause(self) -> float:
        """Seconds to wait, because of others of its address; at 0 the frame is counted."""
        if self._by_address is None or self._address is None:
            return 0
        try:
            self._by_address.spend(self._address)
        except RateLimited as error:
            return max(error.retry_after or 0, PAUSE_SECONDS)
        return 0


def frame_pacing(request: web.Request, address: str | None, player: Callable[[], int | None]) -> FramePacing:
    """The pacing of the frames of one socket of this address, and of this player, once it is known."""
    callers = request.app[CALLERS]
    pace = None if is_backend(request) else callers.frames
    return FramePacing(
        pace, by_address=callers.address_frames, address=address, turns=callers.sources.turns, player=player
    )
