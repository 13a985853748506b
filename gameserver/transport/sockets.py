"""The open sockets of a node: each with a bounded outbox and one writer, and all of them for pushes and closing.

Law: only a socket's writer sends, in the order put; what would pass the outbox's bound ends the socket as too slow.
Every close has a deadline: one peer that stops reading can't hold up the node.
"""

import asyncio
import contextlib
import random
from collections import deque
from collections.abc import Iterator, Sequence

from aiohttp import WSMsgType, web

from gameserver.transport import answers
from gameserver.transport.wire import HEARTBEAT_SECONDS, LARGEST_BODY, SUBPROTOCOL, Close

LARGEST_OUTBOX = 1 << 20
"""Bytes that may wait for a peer."""
CLOSE_SECONDS = 1.0
SEND_SECONDS = 10.0
RECONNECT_SPREAD_MS = 2000


class Socket:
    """One connection; `session_name` once it has said hello."""

    def __init__(self) -> None:
        self.connection = web.WebSocketResponse(
            heartbeat=HEARTBEAT_SECONDS, max_msg_size=LARGEST_BODY, compress=False, protocols=(SUBPROTOCOL,)
        )
        self.session_name = ""
        self.pushed = 0
        self._outbox: deque[bytes] = deque()
        self._bytes = 0
        self._wake = asyncio.Event()
        self._sent = asyncio.Event()
        self._sent.set()
        self._closing: asyncio.Task[None] | None = None

    def put(self, answer: object) -> None:
        """Queues a frame; a peer that is too far behind is cut off."""
        frame = answers.encode(answer)
        if self._bytes + len(frame) > LARGEST_OUTBOX:
            self.end(Close.TOO_SLOW, "too slow")
            return
        self._outbox.append(frame)
        self._bytes += len(frame)
        self._sent.clear()
        self._wake.set()

    def push(self, kind: str, data: object) -> None:
        """Queues a numbered push."""
        self.pushed += 1
        self.put({"push": kind, "seq": self.pushed, "data": data})

    async def write(self) -> None:
        """Sends the outbox until it is cancelled or the peer is gone."""
        with contextlib.suppress(ConnectionError, RuntimeError):
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._outbox:
                    frame = self._outbox.popleft()
                    self._bytes -= len(frame)
                    try:
                        async with asyncio.timeout(SEND_SECONDS):
                            await self.connection.send_frame(frame, WSMsgType.TEXT)
                    except TimeoutError:
                        self.end(Close.TOO_SLOW, "too slow")
                self._sent.set()

    def end(self, code: int, reason: str) -> None:
        """Begins to close; the receiving side then sees the end."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(code, reason))

    async def _close(self, code: int, reason: str) -> None:
        with contextlib.suppress(TimeoutError, ConnectionError, RuntimeError):
            async with asyncio.timeout(CLOSE_SECONDS):
                if code != Close.TOO_SLOW:
                    await self._sent.wait()
                await self.connection.close(code=code, message=reason.encode(), drain=code != Close.TOO_SLOW)
        self._abort()

    def _abort(self) -> None:
        request = self.connection._req
        if request is not None and request.transport is not None:
            request.transport.abort()

    async def ended(self) -> None:
        """Waits for a close that has begun."""
        if self._closing is not None:
            await asyncio.wait([self._closing], timeout=2 * CLOSE_SECONDS)


class Sockets:
    """All open sockets of this node."""

    def __init__(self) -> None:
        self._open: set[Socket] = set()

    def __len__(self) -> int:
        return len(self._open)

    @contextlib.contextmanager
    def keeping(self, socket: Socket) -> Iterator[None]:
        """Counts the socket as open."""
        self._open.add(socket)
        try:
            yield
        finally:
            self._open.discard(socket)

    def end_sessions(self, names: Sequence[str]) -> None:
        """Closes the sockets of sessions that were revoked."""
        ended = set(names)
        for socket in [each for each in self._open if each.session_name in ended]:
            socket.end(Close.SESSION_REVOKED, "session revoked")

    async def go_away(self, seconds: float) -> None:
        """Tells every peer to come back elsewhere, after a delay of its own, and closes within `seconds`."""
        leaving = list(self._open)
        for socket in leaving:
            socket.push("going_away", {"reconnect_after_ms": random.randrange(RECONNECT_SPREAD_MS)})  # noqa: S311
            socket.end(Close.GOING_AWAY, "going away")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                for socket in leaving:
                    await socket.ended()
