"""How many frames one socket may send."""

import time
from collections.abc import Callable

from aiohttp import web

from gameserver.rules.pacing import Pace
from gameserver.telemetry import denied
from gameserver.transport.callers.callers import CALLERS, is_backend
from gameserver.transport.socket.channel import SocketChannel
from gameserver.transport.wire import Close, TooManyMessages

KIND = "frames_per_socket"


class FramePacing:
    """One per socket; a pace of None admits everything. `clock` gives nanoseconds and never goes back."""

    __slots__ = ("_clock", "_interval", "_rest", "_tolerance")

    def __init__(self, pace: Pace | None, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._clock = clock
        self._interval, self._tolerance = (pace.interval, pace.tolerance) if pace is not None else (0, 0)
        self._rest = 0

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


def frame_pacing(request: web.Request) -> FramePacing:
    """The pacing of the frames of one socket."""
    return FramePacing(None if is_backend(request) else request.app[CALLERS].frames)
