"""A socket that misbehaves: it can stop reading, and whatever the server does to it is only counted."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field

import orjson

from bots.load.connecting import Endpoint, connect_socket
from bots.load.hunter import code_of
from bots.load.rawsocket import SocketConnection, frame
from bots.wire.wire import CLOSE_CODES

HELLO_SECONDS = 10.0
STILL_OPEN = "still open"
_NUMBERS = {name: code for code, name in CLOSE_CODES.items()}


@dataclass(frozen=True, slots=True)
class Scene:
    """Where it happens: a node, the tokens of two strangers, the most `seconds` that each socket may take.

    `ended` counts how sockets ended, `heard` what they were answered.
    """

    endpoint: Endpoint
    tokens: tuple[str, str]
    seconds: float
    ended: Counter[str] = field(default_factory=Counter)
    heard: Counter[str] = field(default_factory=Counter)


class Offender:
    """One socket of a scene; `answers` counts what it has read."""

    def __init__(self, scene: Scene) -> None:
        self.answers = 0
        self.last = b""
        self._scene = scene
        self._wanted = 0
        self._enough = asyncio.Event()
        self._over = asyncio.Event()
        self._connection: SocketConnection | None = None

    async def enter(self) -> bool:
        """Open the socket; one that isn't let in is counted as ended."""
        try:
            self._connection = await connect_socket(self._scene.endpoint, self._hear, self._end)
        except (OSError, TimeoutError) as error:
            if not self._over.is_set():
                self._end(str(error) or type(error).__name__)
        return self._connection is not None

    async def hello(self, token: str, **fields: object) -> bool:
        """Say hello and wait for what comes of it; returns whether the server is content."""
        self.send(frame(orjson.dumps({"id": 0, "op": "hello", "token": token, **fields})))
        await self.hear(1, HELLO_SECONDS)
        return b'"ok":' in self.last

    async def hear(self, count: int, seconds: float) -> None:
        """Wait until so many more answers have come, for the end of the socket, or `seconds`."""
        self._wanted = self.answers + count
        self._enough.clear()
        await _first_of(seconds, self._enough, self._over)

    async def be_ended(self, seconds: float) -> None:
        """Wait for the end of the socket, for at most `seconds`."""
        await _first_of(seconds, self._over)

    def send(self, data: bytes) -> None:
        """Write frames, whether or not anybody reads them."""
        if self._connection is not None:
            self._connection.send(data)

    def read(self, *, on: bool) -> None:
        """Begin or stop to read."""
        if self._connection is not None:
            self._connection.read(on=on)

    async def leave(self) -> None:
        """Close the socket if the server hasn't."""
        if not self._over.is_set() and self._connection is not None:
            self._connection.close()
            await _first_of(1.0, self._over)

    def _hear(self, message: bytes) -> None:
        self.answers += 1
        self.last = message
        self._scene.heard["ok" if b'"ok":' in message else _kind(message)] += 1
        if self.answers >= self._wanted:
            self._enough.set()

    def _end(self, reason: str) -> None:
        self._over.set()
        self._scene.ended[STILL_OPEN if reason == "closed" else ending(reason)] += 1


def ending(reason: str) -> str:
    """Name an end by its close code, where it had one."""
    return f"{_NUMBERS[reason]} {reason}" if reason in _NUMBERS and reason != "disconnected" else reason


def _kind(message: bytes) -> str:
    return "push" if message.startswith(b'{"push"') else code_of(message)


async def _first_of(seconds: float, *events: asyncio.Event) -> None:
    waits = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=max(0.0, seconds), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
