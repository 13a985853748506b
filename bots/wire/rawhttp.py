"""A lean HTTP/1.1 client connection for load: kept alive, with answers framed by their Content-Length.

It costs little because requests are prepared bytes and only the status and the length of an answer are parsed. TCP
segments may split or join answers anywhere; an answer that can't be framed ends the connection.
"""

import asyncio
from collections.abc import Callable
from typing import cast

HEAD_END = b"\r\n\r\n"
LENGTH = b"\r\ncontent-length:"
LONGEST_HEAD = 32 * 1024

AnswerListener = Callable[[int, bytes], bytes | None]
EndListener = Callable[[str], None]


class _UnframedError(Exception):
    """An answer whose end can't be determined; the text is the reason for `on_end`."""


class HttpConnection(asyncio.Protocol):
    """Calls `on_answer(status, body)`, which returns the next request or None, and `on_end(reason)` once.

    `head` is that of the last answer.
    """

    def __init__(self, on_answer: AnswerListener, on_end: EndListener) -> None:
        self._on_answer = on_answer
        self._on_end = on_end
        self._rest = b""
        self._reason = "disconnected"
        self._transport: asyncio.Transport | None = None
        self.head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def send(self, request: bytes) -> None:
        """Write a whole request; nothing is written once the connection has ended."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(request)

    def close(self) -> None:
        """End the connection; `on_end` follows."""
        self._reason = "closed"
        if self._transport is not None:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Take each whole answer out of the received bytes, and keep the rest."""
        data = self._rest + data if self._rest else data
        try:
            while (head_end := data.find(HEAD_END)) >= 0:
                end = _end_of_answer(data, head_end)
                if end > len(data):
                    break
                self._take(data, head_end, end)
                data = data[end:]
            if head_end < 0 and len(data) > LONGEST_HEAD:
                raise _UnframedError("head_too_long")
        except _UnframedError as error:
            self._fail(str(error))
        self._rest = data

    def connection_lost(self, _error: Exception | None) -> None:
        """Report the end."""
        self._on_end(self._reason)

    def _take(self, data: bytes, head_end: int, end: int) -> None:
        status = int(data[9:12])
        if status >= 200:
            self.head = data[:head_end]
            request = self._on_answer(status, data[head_end + len(HEAD_END) : end])
            if request is not None:
                self.send(request)

    def _fail(self, reason: str) -> None:
        self._reason = reason
        if self._transport is not None:
            self._transport.abort()


def _end_of_answer(data: bytes, head_end: int) -> int:
    """Return where the answer at the start of `data` ends."""
    head, body = data[:head_end].lower(), head_end + len(HEAD_END)
    if not head.startswith(b"http/1.1 ") or not head[9:12].isdigit():
        raise _UnframedError("bad_status_line")
    if head[9:10] == b"1" or head[9:12] in (b"204", b"304"):
        return body
    at = head.find(LENGTH)
    if at < 0:
        raise _UnframedError("no_content_length")
    length = head[at + len(LENGTH) :].partition(b"\r\n")[0].strip()
    if not length.isdigit():
        raise _UnframedError("bad_content_length")
    return body + int(length)
