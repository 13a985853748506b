"""A WebSocket of the game: passes answers to the waiting requests and pushes to a listener.

The law: when the connection ends, for whatever reason, every waiting request ends in LostError; none is left hanging.
Each has a deadline, and all of them share one timer: most are answered long before it would ring.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any, NamedTuple

import orjson

from bots.wire import answers
from bots.wire.answers import OK, Answer
from bots.wire.connecting import Endpoint, connect_socket
from bots.wire.errors import BadAnswerError
from bots.wire.http import CONNECT_SECONDS
from bots.wire.rawsocket import PING, SocketConnection, frame

HEARTBEAT_SECONDS = 10.0
CLOSE_SECONDS = 2.0
PING_FRAME = frame(b"", PING)

PushListener = Callable[["GameSocket", Mapping[str, Any]], None]
EndListener = Callable[["GameSocket"], None]


class WaitingRequest(NamedTuple):
    """A request that was sent: its answer to come, until its deadline on the monotonic clock."""

    answer: asyncio.Future[Answer]
    deadline: float

    def end_lost(self, code: str) -> None:
        """End it without an answer, unless nobody waits for one any more."""
        if not self.answer.done():
            self.answer.set_exception(answers.lost(code, arrived=True))


class GameSocket:
    """One socket; requests may be pipelined. `on_end` is called for an end that `close` didn't cause.

    `leave_after` is the delay, in seconds, that the server announced with `going_away`; None without one.
    `node` is the name of the node, where the answer to hello says it.
    """

    def __init__(self, url: str, on_push: PushListener, on_end: EndListener) -> None:
        self.url = url
        self._on_push = on_push
        self._on_end = on_end
        self._ids = count(1)
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[int, WaitingRequest] = {}
        self._expiry: asyncio.TimerHandle | None = None
        self._rings_at = float("inf")
        self._over: asyncio.Future[None] = self._loop.create_future()
        self._connection: SocketConnection | None = None
        self._beat: asyncio.TimerHandle | None = None
        self.ended = False
        self.leave_after: float | None = None
        self.node = ""

    @classmethod
    async def connect(cls, url: str, on_push: PushListener, on_end: EndListener) -> "GameSocket":
        """Open a socket to the node at `url`; raises LostError when that fails."""
        socket = cls(url, on_push, on_end)
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                socket._connection = await connect_socket(Endpoint.parse(url), socket._take_text, socket._end)
        except (TimeoutError, OSError) as error:
            reason = str(error)
            code = reason if reason.startswith("handshake_") else "cannot_connect"
            raise answers.lost(code, arrived=False) from error
        socket._beat = socket._loop.call_later(HEARTBEAT_SECONDS, socket._check)
        return socket

    def send(self, op: str, fields: Mapping[str, Any], seconds: float) -> asyncio.Future[Answer]:
        """Send one request and return its answer to come; LostError, here or there, if none arrives in time."""
        if self.ended or self._connection is None:
            raise answers.lost("disconnected", arrived=False)
        number = next(self._ids)
        data = frame(orjson.dumps({"id": number, "op": op, **fields}))
        answer: asyncio.Future[Answer] = self._loop.create_future()
        deadline = time.monotonic() + seconds
        self._waiting[number] = WaitingRequest(answer, deadline)
        if deadline < self._rings_at:
            self._ring_at(deadline)
        self._connection.send(data)
        return answer

    async def until_ended(self, seconds: float) -> None:
        """Wait until the connection has ended, for at most `seconds`."""
        await asyncio.wait({self._over}, timeout=seconds)

    async def quiet(self) -> None:
        """Wait until every request has been answered or given up."""
        while waiting := [request.answer for request in self._waiting.values() if not request.answer.done()]:
            await asyncio.wait(waiting)

    async def close(self) -> None:
        """Close the socket and wait for its end, for no longer than CLOSE_SECONDS."""
        self.ended = True
        if self._connection is not None:
            self._connection.close()
            await self.until_ended(CLOSE_SECONDS)
            self._connection.abort("closed")

    def _take_text(self, text: bytes) -> None:
        try:
            self._take(orjson.loads(text))
        except (orjson.JSONDecodeError, BadAnswerError):
            if self._connection is not None:
                self._connection.abort("bad_answer")

    def _take(self, frame: Any) -> None:
        if not isinstance(frame, dict):
            raise BadAnswerError(f"expected a frame, got {frame!r:.80}")
        if "push" in frame:
            self._on_push(self, frame)
            return
        waiting = self._waiting.pop(frame.get("id", 0), None)
        if waiting is not None and not waiting.answer.done():
            waiting.answer.set_result(read_answer(frame))

    def _check(self) -> None:
        """Ping a silent server; one that was silent since the last ping is lost."""
        assert self._connection is not None
        if self.ended:
            return
        if not self._connection.heard:
            self._connection.abort("disconnected")
            return
        self._connection.heard = False
        self._connection.send(PING_FRAME)
        self._beat = self._loop.call_later(HEARTBEAT_SECONDS, self._check)

    def _ring_at(self, deadline: float) -> None:
        if self._expiry is not None:
            self._expiry.cancel()
        self._rings_at = deadline
        self._expiry = self._loop.call_later(deadline - time.monotonic(), self._expire)

    def _expire(self) -> None:
        """End what has waited too long, and ring again for the rest; a socket without requests has no timer."""
        now, self._expiry, self._rings_at = time.monotonic(), None, float("inf")
        for number in [number for number, request in self._waiting.items() if request.deadline <= now]:
            self._waiting.pop(number).end_lost("timeout")
        if self._waiting:
            self._ring_at(min(request.deadline for request in self._waiting.values()))

    def _end(self, code: str) -> None:
        unexpected, self.ended = not self.ended and self._connection is not None, True
        if self._beat is not None:
            self._beat.cancel()
        if self._expiry is not None:
            self._expiry.cancel()
        for request in self._waiting.values():
            request.end_lost(code)
        self._waiting.clear()
        if not self._over.done():
            self._over.set_result(None)
        if unexpected:
            self._on_end(self)


def read_answer(frame: Mapping[str, Any]) -> Answer:
    """Read the answer in a frame: `ok` or `error`."""
    if "ok" in frame:
        return Answer(OK, body=frame["ok"] or {})
    error = frame.get("error") or {}
    return answers.refusal(error, None, error.get("retry_after"))
