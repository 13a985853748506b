"""Looks at the frames of a WebSocket before aiohttp's reader does, for what the reader lets through.

Law: a frame that isn't masked ends the socket with 1002 (RFC 6455, 5.1). Frames that don't end a message, and every
UNIT bytes of a frame, count against the socket's pace like messages, from the first byte on: the reader gives nothing
to the conversation until a message ends, so nobody else could count them. A message or a frame that isn't whole after
MESSAGE_SECONDS ends the socket with 4408, however much of it arrives meanwhile. Of a client that floods a socket which
is closing no more is read: what it sends waits with it, and it can read why. Only headers are read, never payloads; a
chunk that is one small whole message, which is nearly every one, is passed on after one look. A client that shuts its
sending side behind a whole message is answered all that it has asked.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol, runtime_checkable

from gameserver.transport.socket.channel import NO_MORE, SocketChannel
from gameserver.transport.socket.pacing import FramePacing
from gameserver.transport.wire import LARGEST_BODY, Close

LATE_BYTES = 4096
"""What is read of a client while its socket closes, its own closing frame among it."""
UNIT = 4096
"""Bytes that count like a frame."""
SMALL, SMALL_SECONDS = 16, 10e-6
"""So many small messages are charged for at a time, and what it costs to receive one.

Then the socket is read no further until the conversation takes its next message: what a client sends ahead waits with
it, and comes in large pieces.
"""
FRAME_SECONDS = 1.5e-6
"""What each further frame costs that comes in the same piece."""
MESSAGE_SECONDS = 10.0
"""How long a message may take from its first byte to its last: one of 16 KiB needs 13 kbit/s."""
_END, _MASKED, _LENGTH, _CONTROL = 0x80, 0x80, 0x7F, 0x08
_LAST = bytes((0x8A, _MASKED | len(NO_MORE))) + bytes(4) + NO_MORE
"""A pong that the conversation finds behind all that the client has sent."""
_REFUSED = (True, b"")
_IGNORED = (False, b"")


class FrameReader(Protocol):
    """What aiohttp feeds with the bytes of a connection."""

    def feed_data(self, data: bytes, /) -> tuple[bool, bytes]: ...

    def feed_eof(self) -> None: ...


@runtime_checkable
class Guarded(Protocol):
    """A connection that lets a guard stand before its reader."""

    def guard_frames(self, guard: Callable[[FrameReader], FrameReader]) -> None: ...


class FrameGuard:
    """One per socket, between its connection and its reader."""

    __slots__ = (
        "_ahead",
        "_begun",
        "_channel",
        "_deadline",
        "_ended",
        "_head",
        "_held",
        "_late",
        "_pacing",
        "_payload",
        "_reader",
        "_shut",
        "_small",
    )

    def __init__(self, reader: FrameReader, channel: SocketChannel, pacing: FramePacing) -> None:
        self._reader = reader
        self._channel, self._pacing = channel, pacing
        self._head = b""
        """The beginning of a header that hasn't fully arrived."""
        self._payload = 0
        """Bytes of the present frame that are still to come."""
        self._begun = False
        """Whether a message has begun whose last frame hasn't."""
        self._deadline: asyncio.TimerHandle | None = None
        """For what isn't whole."""
        self._ended = False
        self._held = b""
        """What has come and the reader hasn't been given; while there is any, the connection is read no further."""
        self._shut = False
        """Whether the client sends no more than that."""
        self._late = self._small = self._ahead = 0

    def feed_eof(self) -> None:
        self._stop_waiting()
        self._reader.feed_eof()

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Passes the data on; returns whether the connection takes no more, as aiohttp's readers do."""
        if self._channel.closing and not self._admits_late(data):
            return _IGNORED
        if self._held:
            self._held += data
            return _IGNORED
        if not (self._deadline or self._ended) and len(data) >= 6:
            first, second = data[0], data[1]
            if first & _END and second & _MASKED and len(data) == 6 + (second & _LENGTH) < 132:
                self._small += 1
                if self._small % SMALL == 0:
                    self._pacing.charge(SMALL * SMALL_SECONDS)
                    self._channel.pause_reading()
                return self._reader.feed_data(data)
        return self._feed(data)

    def is_holding(self) -> bool:
        """Gives the reader more of what waits if all before was taken; whether nothing more is to be read for now."""
        if self._held:
            self._ahead -= 1
            if self._ahead <= 0:
                held, self._held = self._held, b""
                if not self._channel.closing or self._admits_late(held):
                    self._feed(held)
        return bool(self._held) or self._late > LATE_BYTES

    def half_close(self) -> bool:
        """The client sends no more; returns whether what it has asked is still to be answered."""
        if self._ended or self._channel.closing:
            return False
        self._shut = True
        return bool(self._held) or self._shut_reader()

    def _shut_reader(self) -> bool:
        is_whole = not (self._payload or self._head or self._begun)
        if is_whole:
            self._channel.half_closed = True
            self._reader.feed_data(_LAST)
        self._reader.feed_eof()
        return is_whole

    def _feed(self, data: bytes) -> tuple[bool, bytes]:
        """Gives the reader the next messages of it, and keeps the rest."""
        is_admitted, frames, end = (False, 0, 0) if self._ended else self._admits(data)
        self._pacing.charge(SMALL_SECONDS + frames * FRAME_SECONDS, end)
        if not is_admitted:
            self._ended = True
            self._stop_waiting()
            return _REFUSED
        if not (self._payload or self._head or self._begun):
            self._stop_waiting()
        elif self._deadline is None:
            self._deadline = asyncio.get_running_loop().call_later(MESSAGE_SECONDS, self._cut)
        if end < len(data):
            self._held, self._ahead = data[end:], SMALL
            self._channel.pause_reading()
            data = data[:end]
        answer = self._reader.feed_data(data)
        if self._shut and not self._held:
            self._shut_reader()
        return answer

    def _stop_waiting(self) -> None:
        """What had begun is whole, or over."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _cut(self) -> None:
        if self._channel.is_paused:  # the rest may wait with the client, which isn't at fault
            self._deadline = asyncio.get_running_loop().call_later(MESSAGE_SECONDS, self._cut)
        elif not self._channel.closing:
            self._channel.end(Close.TOO_SLOW, "a message wasn't complete in time")

    def _admits_late(self, data: bytes) -> bool:
        """Whether so little comes during the close that it may be looked at; otherwise no more is read."""
        self._late += len(data)
        if self._late > LATE_BYTES:
            self._channel.stop_reading()
        return self._late <= LATE_BYTES

    def _admits(self, data: bytes) -> tuple[bool, int, int]:
        """Walks over headers until SMALL messages have ended; says how many frames that were, and how many bytes.

        At the first frame at fault it ends the socket, and says False.
        """
        known, frames, messages = len(self._head), 0, 0
        data = self._head + data
        position = min(self._payload, len(data))
        self._payload -= position
        while len(data) - position >= 2 and messages < SMALL:
            self._note_end(position)
            frames += 1
            first, second = data[position], data[position + 1]
            if not second & _MASKED:
                self._channel.end(Close.PROTOCOL_ERROR, "a client's frames must be masked")
                return False, frames, 0
            size = {126: 8, 127: 14}.get(second & _LENGTH, 6)
            if len(data) - position < size:
                break
            length = second & _LENGTH if size == 6 else int.from_bytes(data[position + 2 : position + size - 4])
            if not self._counts(first, length):
                return False, frames, 0
            if not first & _CONTROL:
                self._begun = not first & _END
            messages += bool(first & _END)
            position += size
            taken = min(length, len(data) - position)
            self._payload = length - taken
            position += taken
        self._note_end(position)
        if messages >= SMALL:
            self._head = b""
            return True, frames, position - known
        self._head = data[position:]
        return True, frames, len(data) - known

    def _note_end(self, position: int) -> None:
        """What comes after a message has a deadline of its own."""
        if position and not (self._begun or self._payload):
            self._stop_waiting()

    def _counts(self, first: int, length: int) -> bool:
        """Counts what the conversation can't; whole messages it counts itself."""
        units = min(length, LARGEST_BODY) // UNIT + (not first & _END)
        return all(self._pacing.admits(self._channel) for _ in range(units))
