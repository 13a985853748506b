"""Kept HTTP connections, over which prepared requests go one at a time: a fifth of the cost of a general client.

Law: a connection whose request got no whole answer is not used again. One that has been silent for IDLE_SECONDS isn't
either, since its server may be closing it. `odd` are the addresses whose answers can't be framed here, such as those of
a proxy that sends them in chunks; whoever meets one goes on with a general client.
"""

import asyncio
import time
from collections import defaultdict
from typing import NamedTuple

from bots.wire.connecting import Endpoint, connect_http
from bots.wire.rawhttp import HttpConnection

IDLE_SECONDS = 15.0
UNFRAMED = frozenset({"bad_status_line", "no_content_length", "bad_content_length", "head_too_long"})


class NotConnectedError(OSError):
    """No connection could be opened, so nothing was sent."""


class RawAnswer(NamedTuple):
    """One answer; `head` has its status line and headers."""

    status: int
    head: bytes
    body: bytes


class HttpLane:
    """One kept connection."""

    def __init__(self) -> None:
        self.connection: HttpConnection | None = None
        self.answer: asyncio.Future[RawAnswer] | None = None
        self.ended, self.used = False, time.monotonic()

    def on_answer(self, status: int, body: bytes) -> None:
        """Take an answer; one that nobody waits for ends the connection."""
        answer, self.answer = self.answer, None
        head = b"" if self.connection is None else self.connection.head
        if answer is None or b"\r\nconnection: close" in head.lower():
            self.close()
        if answer is not None and not answer.done():
            answer.set_result(RawAnswer(status, head, body))

    def on_end(self, reason: str) -> None:
        """Take the end of the connection."""
        self.ended = True
        answer, self.answer = self.answer, None
        if answer is not None and not answer.done():
            answer.set_exception(ConnectionError(reason))

    def close(self) -> None:
        """End the connection."""
        self.ended = True
        if self.connection is not None:
            self.connection.close()


class HttpLanes:
    """The connections to all addresses; a new one is opened when all others wait for answers."""

    def __init__(self) -> None:
        self.odd: set[str] = set()
        self._free: defaultdict[str, list[HttpLane]] = defaultdict(list)
        self._lanes: set[HttpLane] = set()
        self._loop = asyncio.get_running_loop()

    async def ask(self, url: str, request: bytes, connect_seconds: float) -> RawAnswer:
        """Send a whole request and return its answer; raises NotConnectedError, or ConnectionError once it is sent."""
        lane = self._free_lane(url) or await self._open(url, connect_seconds)
        assert lane.connection is not None
        answer: asyncio.Future[RawAnswer] = self._loop.create_future()
        lane.answer = answer
        try:
            lane.connection.send(request)
            answered = await answer
        except BaseException as error:
            lane.close()
            self._lanes.discard(lane)
            if isinstance(error, ConnectionError) and str(error) in UNFRAMED:
                self.odd.add(url)
            raise
        if not lane.ended:
            lane.used = time.monotonic()
            self._free[url].append(lane)
        return answered

    def close(self) -> None:
        """End all connections."""
        for lane in self._lanes:
            lane.close()

    def _free_lane(self, url: str) -> HttpLane | None:
        free, young = self._free[url], time.monotonic() - IDLE_SECONDS
        while free:
            lane = free.pop()
            if not lane.ended and lane.used > young:
                return lane
            lane.close()
            self._lanes.discard(lane)
        return None

    async def _open(self, url: str, seconds: float) -> HttpLane:
        lane = HttpLane()
        try:
            async with asyncio.timeout(seconds):
                lane.connection = await connect_http(Endpoint.parse(url), lane.on_answer, lane.on_end)
        except (OSError, TimeoutError) as error:
            raise NotConnectedError(str(error)) from error
        self._lanes.add(lane)
        return lane
