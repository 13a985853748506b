"""A lean WebSocket client connection (RFC 6455): prepared frames, several of them in one write.

Frames are masked with the key 0, which a server handles like any other: masking protects proxies from scripts in
browsers, and there are none here. No extension is offered, so frames come uncompressed. TCP segments may split or
join frames anywhere, and a message may be split into frames; pings are answered.
"""

import asyncio
import base64
import hashlib
import secrets
from collections.abc import Callable
from typing import cast

from bots.wire.answers import CLOSE_CODES
from bots.wire.requests import SUBPROTOCOL

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
HEAD_END = b"\r\n\r\n"
CONTINUATION, TEXT, CLOSE, PING, PONG = 0x0, 0x1, 0x8, 0x9, 0xA
LONGEST_MESSAGE = 1024 * 1024

TextListener = Callable[[bytes], bytes | None]
EndListener = Callable[[str], None]


def frame(payload: bytes, opcode: int = TEXT) -> bytes:
    """Make one whole client frame."""
    length = len(payload)
    if length < 126:
        return b"%c%c\0\0\0\0%b" % (0x80 | opcode, 0x80 | length, payload)
    if length < 65536:
        return bytes((0x80 | opcode, 0xFE)) + length.to_bytes(2, "big") + b"\0\0\0\0" + payload
    return bytes((0x80 | opcode, 0xFF)) + length.to_bytes(8, "big") + b"\0\0\0\0" + payload


class SocketConnection(asyncio.Protocol):
    """Calls `on_text(message)`, which returns bytes to write or None, and `on_end(reason)` once.

    `opened` is done when the handshake is: with None, or with ConnectionError. `heard` becomes true with every byte.
    """

    def __init__(self, host: str, on_text: TextListener, on_end: EndListener) -> None:
        self._host = host
        self._on_text = on_text
        self._on_end = on_end
        self._key = base64.b64encode(secrets.token_bytes(16))
        self._rest = b""
        self._message = b""
        self._reason = "disconnected"
        self._transport: asyncio.Transport | None = None
        self.heard = True
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.opened.add_done_callback(lambda opened: opened.cancelled() or opened.exception())

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the handshake."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(
            b"GET /v1/socket HTTP/1.1\r\nHost: %b\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %b\r\nSec-WebSocket-Protocol: %b\r\n\r\n"
            % (self._host.encode(), self._key, SUBPROTOCOL.encode())
        )

    def send(self, data: bytes) -> None:
        """Write whole frames; nothing is written once the connection has ended."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def read(self, *, on: bool) -> None:
        """Start or stop reading what the server sends."""
        if self._transport is not None and not self._transport.is_closing():
            (self._transport.resume_reading if on else self._transport.pause_reading)()

    def close(self) -> None:
        """Send a close frame and end the connection; `on_end` follows."""
        self._leave("closed", (1000).to_bytes(2, "big"))

    def abort(self, reason: str) -> None:
        """End the connection at once, for this reason; `on_end` follows."""
        self._reason = reason
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Take the handshake, then each whole frame; what `on_text` returns for them is written at once."""
        self.heard = True
        data = self._rest + data if self._rest else data
        if not self.opened.done():
            data = self._take_handshake(data)
        at, answers = 0, []
        while self.opened.done() and (bounds := self._bounds(data, at)) is not None:
            start, end = bounds
            answer = self._take(data[at], data[start:end])
            at = end
            if answer is not None:
                answers.append(answer)
        self._rest = data[at:]
        if answers:
            self.send(b"".join(answers))

    def connection_lost(self, _error: Exception | None) -> None:
        """Report the end."""
        if not self.opened.done():
            self.opened.set_exception(ConnectionError(self._reason))
        self._on_end(self._reason)

    def _leave(self, reason: str, code: bytes) -> None:
        self._reason = reason
        self.send(frame(code, CLOSE))
        if self._transport is not None:
            self._transport.close()

    def _take_handshake(self, data: bytes) -> bytes:
        """Check the server's handshake; returns the bytes after it, or `data` while it isn't complete."""
        head, end, rest = data.partition(HEAD_END)
        if not end:
            return data
        accept = base64.b64encode(hashlib.sha1(self._key + GUID).digest())  # noqa: S324 (the RFC's choice)
        lines = {line.partition(b":")[0].lower(): line.partition(b":")[2].strip() for line in head.split(b"\r\n")}
        if head[9:12] != b"101":
            self.abort(f"handshake_{head[9:12].decode(errors='replace')}")
        elif lines.get(b"sec-websocket-accept") != accept:
            self.abort("handshake_accept")
        elif lines.get(b"sec-websocket-protocol") != SUBPROTOCOL.encode():
            self.abort("handshake_subprotocol")
        else:
            self.opened.set_result(None)
            return rest
        return b""

    def _bounds(self, data: bytes, at: int) -> tuple[int, int] | None:
        """Return where the payload of the frame at `at` starts and ends, None until all of it has arrived."""
        if len(data) < at + 2:
            return None
        length, start = data[at + 1], at + 2
        if length >= 126:
            start += 2 if length == 126 else 8
            if len(data) < start:
                return None
            length = int.from_bytes(data[at + 2 : start], "big")
        if length > LONGEST_MESSAGE:
            self.abort("message_too_long")
            return None
        return (start, start + length) if len(data) >= start + length else None

    def _take(self, first: int, payload: bytes) -> bytes | None:
        """Take one frame; returns the bytes to write in reply."""
        opcode = first & 0x0F
        if opcode == TEXT and first & 0x80:
            return self._on_text(payload)
        if opcode == PING:
            return frame(payload, PONG)
        if opcode in (TEXT, CONTINUATION):
            return self._join(payload, last=bool(first & 0x80))
        if opcode == CLOSE:
            code = int.from_bytes(payload[:2], "big")
            self._leave(CLOSE_CODES.get(code, f"closed_{code}"), payload[:2])
        return None

    def _join(self, payload: bytes, *, last: bool) -> bytes | None:
        self._message += payload
        if not last:
            return None
        message, self._message = self._message, b""
        return self._on_text(message)
