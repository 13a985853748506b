"""One player's load on one connection: each answer triggers the next request, until the measurement is over."""

import asyncio
import re
import time

from bots.load.hunter import ARGS, Hunter, code_of
from bots.load.measure import Measure
from bots.wire.command_ids import CommandIds
from bots.wire.rawsocket import frame

HELLO_ID = 0

_ID = re.compile(rb'"id":\s*(\d+)\s*[,}]')  # a player's id is a string, so this only matches a request's id


def hello(token: str) -> bytes:
    """Make the first frame on a socket; its answer has the id HELLO_ID."""
    return frame(b'{"id":%d,"op":"hello","token":"%b"}' % (HELLO_ID, token.encode()))


def request_number(message: bytes) -> int:
    """Return the id of the request that a message answers; -1 of a push."""
    number = _ID.search(message)
    return -1 if number is None else int(number[1])


class Greeting:
    """The answer to `hello`, as a future: None, or ConnectionError with the reason of the refusal."""

    def __init__(self) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.done.add_done_callback(lambda done: done.cancelled() or done.exception())

    def take(self, message: bytes) -> None:
        """Take a message; all but the answer to `hello` are ignored."""
        number = _ID.search(message)
        if number is None or int(number[1]) != HELLO_ID or self.done.done():
            return
        if b'"ok":' in message:
            self.done.set_result(None)
        else:
            self.done.set_exception(ConnectionError(code_of(message)))

    def ended(self, reason: str) -> None:
        """Take the end of the connection."""
        if not self.done.done():
            self.done.set_exception(ConnectionError(reason))


class SocketLoad:
    """Acts or reads over a socket, with several requests in flight."""

    def __init__(self, measure: Measure, ids: CommandIds, *, reads: bool) -> None:
        self.greeting = Greeting()
        self._measure = measure
        self._ids = ids
        self._reads = reads
        self._hunter = Hunter()
        self._sent: dict[int, float] = {}
        self._number = HELLO_ID

    def in_flight(self) -> int:
        """How many requests wait for an answer."""
        return len(self._sent)

    def on_text(self, message: bytes) -> bytes | None:
        """Count an answer and return the next request."""
        number = _ID.search(message)
        sent = self._sent.pop(int(number[1]), None) if number is not None else None
        if sent is None:
            self.greeting.take(message)
            return None
        now = time.monotonic()
        if b'"ok":' in message:
            self._measure.count(sent, now)
            self._hunter.answered(message)
        else:
            code = code_of(message)
            self._measure.fault(code, None)
            self._hunter.refused(code)
        return self.request(now) if now < self._measure.ends else None

    def on_end(self, reason: str) -> None:
        """Count what was in flight when the connection ended."""
        self.greeting.ended(reason)
        if self._sent:
            self._measure.errors[reason] += len(self._sent)
            self._sent.clear()

    def request(self, now: float) -> bytes:
        """Make the next request, sent at `now`."""
        self._number += 1
        self._sent[self._number] = now
        if self._reads:
            return frame(b'{"id":%d,"op":"read"}' % self._number)
        action = self._hunter.next()
        text = (
            f'{{"id":{self._number},"op":"act","command_id":"{self._ids.next()}",'
            f'"action":"{action}","args":{ARGS[action]}}}'
        )
        return frame(text.encode())


class HttpLoad:
    """Acts or reads over one HTTP connection, with one request in flight."""

    def __init__(self, measure: Measure, ids: CommandIds, host: str, token: str, *, reads: bool) -> None:
        self._measure = measure
        self._ids = ids
        self._hunter = Hunter()
        self._sent = 0.0
        self._waiting = False
        common = f"HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n"
        self._read = f"GET /v1/players/me {common}\r\n".encode() if reads else b""
        self._acts = {action: _post(common, action, args) for action, args in ARGS.items()}

    def in_flight(self) -> int:
        """How many requests wait for an answer."""
        return int(self._waiting)

    def on_answer(self, status: int, body: bytes) -> bytes | None:
        """Count an answer and return the next request."""
        now = time.monotonic()
        self._waiting = False
        if status == 200:
            self._measure.count(self._sent, now)
            self._hunter.answered(body)
        else:
            code = code_of(body)
            self._measure.fault(f"http_{status}" if code == "no_code" else code, status)
            self._hunter.refused(code)
        return self.request(now) if now < self._measure.ends else None

    def on_end(self, reason: str) -> None:
        """Count what was in flight when the connection ended."""
        if self._waiting:
            self._measure.errors[reason] += 1
            self._waiting = False

    def request(self, now: float) -> bytes:
        """Make the next request, sent at `now`."""
        self._sent, self._waiting = now, True
        if self._read:
            return self._read
        head, tail = self._acts[self._hunter.next()]
        return head + self._ids.next().encode() + tail


def _post(common: str, action: str, args: str) -> tuple[bytes, bytes]:
    """Make the parts of an action's request before and after the command id."""
    body = f'{{"action":"{action}","args":{args}}}'
    head = (
        f"POST /v1/players/me/actions {common}Content-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nIdempotency-Key: "
    )
    return head.encode(), f"\r\n\r\n{body}".encode()
