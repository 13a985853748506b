"""The connections over which a door is asked, HTTP or sockets; a question that none can take is held back.

An HTTP connection has one question at a time, as a client has, and is opened when all others wait for an answer. A
socket takes several, but no more than a server reads before it answers some.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import count
from typing import Protocol

from bots.load.closed_loop import Greeting, hello, request_number
from bots.overload.questions import DoorQuestion, Heard, heard_on_socket, heard_over_http
from bots.waiting import cancel_and_wait
from bots.wire.connecting import Endpoint, connect_http, connect_socket
from bots.wire.rawhttp import HttpConnection
from bots.wire.rawsocket import SocketConnection, frame

MOST_ON_SOCKET = 100
"""Questions under way on one socket; a node reads no more than 128."""
GREETING_SECONDS = 15.0


class Listener(Protocol):
    """Who hears how questions end."""

    def hear(self, question: DoorQuestion, heard: Heard) -> None:
        """Take an answer."""

    def lose(self, question: DoorQuestion, reason: str) -> None:
        """Take the end of a question that gets no answer."""


class Pool(Protocol):
    """Takes questions, and tells `listener` how they end."""

    listener: Listener

    def offer(self, question: DoorQuestion) -> bool:
        """Send a question; False if no connection can take it."""

    def in_flight(self) -> int:
        """How many questions wait for an answer."""

    def abandon(self) -> list[DoorQuestion]:
        """Give up the questions that wait for an answer; returns them."""

    async def close(self) -> None:
        """Close all connections."""


class _HttpLane:
    """One kept connection."""

    def __init__(self, pool: "HttpPool") -> None:
        self._pool = pool
        self.connection: HttpConnection | None = None
        self.question: DoorQuestion | None = None
        self.ended = False

    def on_answer(self, status: int, body: bytes) -> None:
        question, self.question = self.question, None
        head = b"" if self.connection is None else self.connection.head
        if b"\r\nconnection: close" in head.lower():
            self.ended = True
        if question is not None:
            self._pool.answered(self, question, heard_over_http(status, head, body))

    def on_end(self, reason: str) -> None:
        self.ended = True
        question, self.question = self.question, None
        self._pool.left(self, question, reason)


class HttpPool:
    """Up to `most` connections, spread over the endpoints."""

    def __init__(self, endpoints: Sequence[Endpoint], most: int, listener: Listener) -> None:
        self.listener = listener
        self._endpoints, self._most, self._next = endpoints, most, count()
        self._free: deque[_HttpLane] = deque()
        self._lanes: set[_HttpLane] = set()
        self._opening: set[asyncio.Task[None]] = set()

    def offer(self, question: DoorQuestion) -> bool:
        """Send a question over a free connection, or over a new one, which is part of its time of service."""
        question.sent = time.monotonic()
        while self._free:
            lane = self._free.popleft()
            if not lane.ended and lane.connection is not None:
                lane.question = question
                lane.connection.send(question.payload)
                return True
        if len(self._lanes) >= self._most:
            return False
        lane = _HttpLane(self)
        lane.question = question
        self._lanes.add(lane)
        opening = asyncio.create_task(self._open(lane))
        self._opening.add(opening)
        opening.add_done_callback(self._opening.discard)
        return True

    def in_flight(self) -> int:
        """How many questions wait for an answer."""
        return sum(lane.question is not None for lane in self._lanes)

    def abandon(self) -> list[DoorQuestion]:
        """Give up the questions that wait for an answer, with their connections."""
        asked = [lane for lane in self._lanes if lane.question is not None]
        questions = [lane.question for lane in asked if lane.question is not None]
        for lane in asked:
            self._give_up(lane)
        return questions

    async def close(self) -> None:
        """Close all connections."""
        await cancel_and_wait(*self._opening)
        for lane in list(self._lanes):
            self._give_up(lane)

    def _give_up(self, lane: _HttpLane) -> None:
        lane.question, lane.ended = None, True
        self._lanes.discard(lane)
        if lane.connection is not None:
            lane.connection.close()

    def answered(self, lane: _HttpLane, question: DoorQuestion, heard: Heard) -> None:
        """Take a lane's answer; the lane is free for the next question."""
        if not lane.ended:
            self._free.append(lane)
        self.listener.hear(question, heard)

    def left(self, lane: _HttpLane, question: DoorQuestion | None, reason: str) -> None:
        """Take the end of a lane, and of what it was asked last."""
        self._lanes.discard(lane)
        if question is not None:
            self.listener.lose(question, reason)

    async def _open(self, lane: _HttpLane) -> None:
        endpoint = self._endpoints[next(self._next) % len(self._endpoints)]
        try:
            lane.connection = await connect_http(endpoint, lane.on_answer, lane.on_end)
        except (OSError, TimeoutError) as error:
            lane.on_end(f"cannot_connect {type(error).__name__}")
            return
        if lane.question is None:
            lane.connection.close()
        else:
            lane.connection.send(lane.question.payload)


class _SocketLane:
    """One socket; `asked` are its open questions by number."""

    def __init__(self, pool: "SocketPool") -> None:
        self._pool = pool
        self.greeting = Greeting()
        self.connection: SocketConnection | None = None
        self.asked: dict[int, DoorQuestion] = {}
        self.ended = False

    def on_text(self, message: bytes) -> None:
        question = self.asked.pop(request_number(message), None)
        if question is None:
            self.greeting.take(message)
        else:
            self._pool.listener.hear(question, heard_on_socket(message))

    def on_end(self, reason: str) -> None:
        self.ended = True
        self.greeting.ended(reason)
        asked, self.asked = self.asked, {}
        for question in asked.values():
            self._pool.listener.lose(question, f"its socket ended: {reason}")


class SocketPool:
    """A socket for each of some players; `socket_of` names the one that a question goes to."""

    def __init__(self, listener: Listener, socket_of: Callable[[DoorQuestion], int]) -> None:
        self.listener = listener
        self._socket_of = socket_of
        self._lanes: list[_SocketLane] = []

    async def open(self, endpoints: Sequence[Endpoint], tokens: Sequence[str]) -> None:
        """Open the sockets, spread over the endpoints, and say hello; raises ConnectionError or TimeoutError."""
        for number, token in enumerate(tokens):
            lane = _SocketLane(self)
            endpoint = endpoints[number % len(endpoints)]
            lane.connection = await connect_socket(endpoint, lane.on_text, lane.on_end)
            self._lanes.append(lane)
            lane.connection.send(hello(token))
            async with asyncio.timeout(GREETING_SECONDS):
                await lane.greeting.done

    def offer(self, question: DoorQuestion) -> bool:
        """Send a question over its player's socket; False if that has ended or has enough under way."""
        question.sent = time.monotonic()
        lane = self._lanes[self._socket_of(question)]
        if lane.ended or lane.connection is None or len(lane.asked) >= MOST_ON_SOCKET:
            return False
        lane.asked[question.number] = question
        lane.connection.send(frame(question.payload))
        return True

    def in_flight(self) -> int:
        """How many questions wait for an answer."""
        return sum(len(lane.asked) for lane in self._lanes)

    def abandon(self) -> list[DoorQuestion]:
        """Give up the questions that wait for an answer; the sockets stay open."""
        asked = [question for lane in self._lanes for question in lane.asked.values()]
        for lane in self._lanes:
            lane.asked.clear()
        return asked

    async def close(self) -> None:
        """Close all sockets."""
        self.abandon()
        for lane in self._lanes:
            if lane.connection is not None:
                lane.connection.close()
