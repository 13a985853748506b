"""How many frames one socket may send."""

import time

from gameserver.rules.pacing import Pace
from gameserver.telemetry import denied
from gameserver.transport import answers
from gameserver.transport.sockets import Socket
from gameserver.transport.wire import Close, TooManyMessages

KIND = "frames_per_socket"


class FramePacing:
    """One per socket; a pace of None admits everything."""

    __slots__ = ("_pace", "_rest")

    def __init__(self, pace: Pace | None) -> None:
        self._pace, self._rest = pace, 0

    def admits(self, own: Socket) -> bool:
        """Counts a frame; ends the socket when it is one too many."""
        if self._pace is None:
            return True
        now = time.monotonic_ns()
        if self._pace.wait(self._rest, now) > 0:
            denied(KIND).inc()
            error = TooManyMessages("This socket sends more frames than it may.")
            own.put({"id": None, "error": answers.frame_error(error)})
            own.end(Close.TOO_MANY_MESSAGES, error.code)
            return False
        self._rest = self._pace.spent(self._rest, now)
        return True
