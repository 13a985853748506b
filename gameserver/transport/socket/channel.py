"""One WebSocket: what is written to it, and how it ends.

Law: the frames sent in one turn of the event loop leave in their order in one write, so a batch of answers costs one
system call instead of one for each (they were two fifths of a busy node's time). What the client hasn't read yet waits
in the connection's buffer, whose owner is told of it; the kernel holds KERNEL_BUFFER bytes more, or twice as many, and
RECEIVE_BUFFER of what has come. Every close has a deadline: a client that stops reading can't hold up the node.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable

from aiohttp import WSMessage, WSMsgType, web
from aiohttp.base_protocol import BaseProtocol

from gameserver.rules.errors import GameError, RateLimited
from gameserver.telemetry import request_id
from gameserver.transport import answers
from gameserver.transport.wire import HEARTBEAT_SECONDS, LARGEST_BODY, SUBPROTOCOL, Close

ENDS = (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR)
KERNEL_BUFFER, RECEIVE_BUFFER = 1 << 16, 1 << 15
"""Without a bound Linux lets both buffers of a connection grow to some megabytes; and all that has been received, which
may be many small frames, is looked at in one turn of the loop.
"""
CLOSE_SECONDS = 1.0
LOOK_SECONDS = 1.0
"""So long a client has for reading a single large write before what is left of it counts as unread."""
NO_MORE = b"the client sends no more"
"""What a pong holds that stands behind the last message of a client that has shut its sending side."""


class SocketChannel:
    """Frames out, and the close; the socket's handler receives from `websocket` itself."""

    def __init__(
        self, on_unread: Callable[[], object] = lambda: None, on_abuse: Callable[[], object] = lambda: None
    ) -> None:
        """`on_unread` is called when the client hasn't read all that was sent before, or much LOOK_SECONDS ago.

        `on_abuse` is called once if the socket has to end for what its client sends, or leaves unread.
        """
        self._on_unread, self._on_abuse = on_unread, on_abuse
        self._is_abused = False
        self.websocket = web.WebSocketResponse(
            heartbeat=HEARTBEAT_SECONDS,
            autoping=False,
            max_msg_size=LARGEST_BODY + 1,  # aiohttp also refuses a frame of exactly max_msg_size bytes
            compress=False,
            protocols=(SUBPROTOCOL,),
        )
        self.half_closed = False
        """Whether the client has shut its sending side, and is to be answered what it has asked."""
        self._protocol: BaseProtocol | None = None
        self._transport: asyncio.Transport | None = None
        self._frames: list[bytes] = []
        self._look: asyncio.TimerHandle | None = None
        self._closing: asyncio.Task[None] | None = None

    async def open(self, request: web.Request) -> None:
        """Answers the upgrade."""
        self._protocol = request.protocol  # frames may have come with the upgrade
        await self.websocket.prepare(request)
        self._transport = request.transport
        if self._transport is not None and (raw := self._transport.get_extra_info("socket")) is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BUFFER)
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)

    def is_end(self, message: WSMessage) -> bool:
        """Whether the client has sent no more than what came before this message."""
        return message.type in ENDS or (self.half_closed and message.data == NO_MORE)

    @property
    def unread(self) -> int:
        """Bytes that wait until the client reads."""
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    @property
    def closing(self) -> bool:
        return self._closing is not None or self.websocket.closed

    def send(self, frame: object) -> None:
        """Sends a frame together with the others of this turn of the loop."""
        if not self._frames:
            asyncio.get_running_loop().call_soon(self._flush)
        self._frames.append(_text_frame(answers.encode(frame)))

    def _flush(self) -> None:
        frames, self._frames = self._frames, []
        if self._transport is None or self._transport.is_closing() or self.websocket.closed:
            return
        waiting = self._transport.get_write_buffer_size()
        self._transport.write(b"".join(frames))
        if waiting:
            self._on_unread()
        elif self._look is None and self.unread > KERNEL_BUFFER:
            self._look = asyncio.get_running_loop().call_later(LOOK_SECONDS, self._look_again)

    def _look_again(self) -> None:
        self._look = None
        if self.unread and not self.closing:
            self._on_unread()

    def fail(self, error: GameError, code: int, reason: str | None = None, frame_id: str | int | None = None) -> None:
        """Sends an error, then ends; the close's reason is the error's code unless given."""
        if isinstance(error, RateLimited):
            self._note_abuse()
        self.turn_away(error, code, reason, frame_id)

    def turn_away(
        self, error: GameError, code: int, reason: str | None = None, frame_id: str | int | None = None
    ) -> None:
        """The same, for what this socket isn't to blame for."""
        self.send({"id": frame_id, "error": answers.frame_error(error, request_id.get())})
        self.end(code, reason or error.code)

    def end(self, code: int, reason: str) -> None:
        """Begins to close; whoever receives then sees the end."""
        if code == Close.TOO_SLOW:
            self._note_abuse()
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(code, reason))

    async def _close(self, code: int, reason: str) -> None:
        if self._frames:
            self._flush()
        with contextlib.suppress(TimeoutError, ConnectionError, RuntimeError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self.websocket.close(code=code, message=reason.encode(), drain=code != Close.TOO_SLOW)
        self._abort_unsent()

    async def wait_closed(self) -> None:
        """Waits for a close that has begun, for 2 * CLOSE_SECONDS at the most."""
        if self._closing is not None:
            await asyncio.wait([self._closing], timeout=2 * CLOSE_SECONDS)
        self._abort_unsent()

    def pause_reading(self) -> None:
        """What the client sends waits with it until the conversation takes its next message, as aiohttp has it."""
        if self._protocol is not None:
            self._protocol.pause_reading()

    @property
    def is_paused(self) -> bool:
        """Whether what the client sends waits with it."""
        return self._protocol is not None and bool(getattr(self._protocol, "is_reading_paused", False))

    def stop_reading(self) -> None:
        """What the client sends from now on waits with it, until the connection is closed."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def cut(self) -> None:
        """Drops the connection and all that waits for the client, which sends or leaves unread too much."""
        self._note_abuse()
        if self._transport is not None:
            self._transport.abort()

    def _note_abuse(self) -> None:
        if not self._is_abused:
            self._is_abused = True
            self._on_abuse()

    def _abort_unsent(self) -> None:
        """Cuts the connection if the client still hasn't read everything."""
        if self._transport is not None and self._transport.get_write_buffer_size():
            self._transport.abort()


def _text_frame(payload: bytes) -> bytes:
    """An unmasked text frame of one fragment (RFC 6455, 5.2)."""
    size = len(payload)
    if size < 126:
        return b"\x81" + size.to_bytes(1) + payload
    if size < 1 << 16:
        return b"\x81\x7e" + size.to_bytes(2) + payload
    return b"\x81\x7f" + size.to_bytes(8) + payload
