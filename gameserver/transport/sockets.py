"""The open sockets of a node: what is written to each, and all of them for pushes and closing.

Law: the frames put in one turn of the loop leave in their order in one write, so a batch of answers costs one system
call and not one each (they were two fifths of a busy node's time). What a peer hasn't taken waits in its connection's
buffer; past the bound the peer is cut off as too slow. Every close has a deadline: one peer that stops reading can't
hold up the node.
"""

import asyncio
import contextlib
import random
from collections.abc import Iterator, Sequence

from aiohttp import web

from gameserver.transport import answers
from gameserver.transport.wire import HEARTBEAT_SECONDS, LARGEST_BODY, SUBPROTOCOL, Close

LARGEST_BUFFER = 1 << 20
"""Bytes that may wait for a peer."""
CLOSE_SECONDS = 1.0
RECONNECT_SPREAD_MS = 2000


class Socket:
    """One connection; `session_name` and `token` once it has said hello, `requests` while they are being answered."""

    def __init__(self) -> None:
        self.connection = web.WebSocketResponse(
            heartbeat=HEARTBEAT_SECONDS, max_msg_size=LARGEST_BODY + 1, compress=False, protocols=(SUBPROTOCOL,)
        )  # aiohttp refuses a frame of max_msg_size bytes, too
        self.requests: set[asyncio.Task[None]] = set()
        self.session_name = self.token = ""
        self.pushed = 0
        self._transport: asyncio.Transport | None = None
        self._frames: list[bytes] = []
        self._closing: asyncio.Task[None] | None = None

    async def open(self, request: web.Request) -> None:
        """Answers the upgrade."""
        await self.connection.prepare(request)
        self._transport = request.transport

    def put(self, answer: object) -> None:
        """Sends a frame with the others of this turn."""
        if not self._frames:
            asyncio.get_running_loop().call_soon(self._flush)
        self._frames.append(_text_frame(answers.encode(answer)))

    def push(self, kind: str, data: object) -> None:
        """Sends a numbered push."""
        self.pushed += 1
        self.put({"push": kind, "seq": self.pushed, "data": data})

    def _flush(self) -> None:
        frames, self._frames = self._frames, []
        if self._transport is None or self._transport.is_closing() or self.connection.closed:
            return
        self._transport.write(b"".join(frames))
        if self._transport.get_write_buffer_size() > LARGEST_BUFFER:
            self.end(Close.TOO_SLOW, "too slow")

    def end(self, code: int, reason: str) -> None:
        """Begins to close; the receiving side then sees the end."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(code, reason))

    async def _close(self, code: int, reason: str) -> None:
        if self._frames:
            self._flush()
        with contextlib.suppress(TimeoutError, ConnectionError, RuntimeError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self.connection.close(code=code, message=reason.encode(), drain=code != Close.TOO_SLOW)
        if self._transport is not None and self._transport.get_write_buffer_size():
            self._transport.abort()

    async def ended(self) -> None:
        """Waits for a close that has begun."""
        if self._closing is not None:
            await asyncio.wait([self._closing], timeout=2 * CLOSE_SECONDS)


def _text_frame(payload: bytes) -> bytes:
    """An unmasked text frame of one fragment (RFC 6455, 5.2)."""
    size = len(payload)
    if size < 126:
        return b"\x81" + size.to_bytes(1) + payload
    if size < 1 << 16:
        return b"\x81\x7e" + size.to_bytes(2) + payload
    return b"\x81\x7f" + size.to_bytes(8) + payload


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
        """Tells every peer to come back elsewhere, after a delay of its own, and closes within `seconds`.

        What they have asked until now is answered first.
        """
        leaving = list(self._open)
        for socket in leaving:
            socket.push("going_away", {"reconnect_after_ms": random.randrange(RECONNECT_SPREAD_MS)})  # noqa: S311
        if asked := [request for socket in leaving for request in socket.requests]:
            await asyncio.wait(asked, timeout=seconds / 2)
        for socket in leaving:
            socket.end(Close.GOING_AWAY, "going away")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds / 2):
                for socket in leaving:
                    await socket.ended()
