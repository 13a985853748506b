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
from gameserver.transport.callers.turns import AddressTurns
from gameserver.transport.socket.channel import SocketChannel
from gameserver.transport.wire import Close, TooManyMessages

KIND = "frames_per_socket"
PAUSE_SECONDS = 0.1


class FramePacing:
    """One per socket; a pace of None admits everything. `clock` gives nanoseconds and never goes back."""

    __slots__ = ("_address", "_by_address", "_clock", "_interval", "_rest", "_tolerance", "_turns", "held_up")

    def __init__(
        self,
        pace: Pace | None,
        clock: Callable[[], int] = time.monotonic_ns,
        by_address: ActionPacing | None = None,
        address: str | None = None,
        turns: AddressTurns | None = None,
    ) -> None:
        """`by_address` counts the frames of all sockets of `address`, and `turns` spreads them over the loop's turns.

        Without an address nothing counts them, and the socket takes turns of its own.
        """
        self._clock, self._by_address, self._address = clock, by_address, address
        self._interval, self._tolerance = (pace.interval, pace.tolerance) if pace is not None else (0, 0)
        self._rest = 0
        self.held_up = 0.0
        """While a frame waits for others of its address: after how many seconds there may be room for it."""
        self._turns = turns if turns is not None and address is not None else AddressTurns(pause=0)

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

    async def wait(self) -> None:
        """Waits, after a frame was admitted, until others of its address leave room for it."""
        while seconds := self._pause():
            self.held_up = seconds
            await asyncio.sleep(seconds)
        if (turn := self._turns.take(self._address or self)) is not None:
            self.held_up = PAUSE_SECONDS
            await turn
        self.held_up = 0.0

    def _pause(self) -> float:
        """Seconds to wait, because of others of its address; at 0 the frame is counted."""
        if self._by_address is None or self._address is None:
            return 0
        try:
            self._by_address.spend(self._address)
        except RateLimited as error:
            return max(error.retry_after or 0, PAUSE_SECONDS)
        return 0


def frame_pacing(request: web.Request, address: str | None) -> FramePacing:
    """The pacing of the frames of one socket of this address."""
    callers = request.app[CALLERS]
    pace = None if is_backend(request) else callers.frames
    return FramePacing(pace, by_address=callers.address_frames, address=address, turns=callers.sources.turns)
