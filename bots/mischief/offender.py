"""A socket that misbehaves: it can stop reading, and whatever the server does to it is counted, never an error."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field

import orjson

from bots.load.hunter import code_of
from bots.waiting import first_of
from bots.wire.answers import CLOSE_CODES
from bots.wire.connecting import Endpoint, connect_socket
from bots.wire.rawsocket import SocketConnection, frame

HELLO_SECONDS = 10.0
STILL_OPEN = "still open"
_NUMBERS = {name: code for code, name in CLOSE_CODES.items()}


@dataclass(frozen=True, slots=True)
class Scene:
    """What one kind of mischief works with: a node, the tokens of two players, and the seconds that it may take.

    `ended` counts how sockets ended, `heard` what they were answered.
    """

    endpoint: Endpoint
    tokens: tuple[str, str]
    seconds: float
    ended: Counter[str] = field(default_factory=Counter)
    heard: Counter[str] = field(default_factory=Counter)


class Offender:
    """One socket of a scene; `answers` counts the messages that it has read, `last` is the latest."""

    def __init__(self, scene: Scene) -> None:
        self.answers = 0
        self.last = b""
        self._scene = scene
        self._wanted = 0
        self._enough = asyncio.Event()
        self._over = asyncio.Event()
        self._connection: SocketConnection | None = None

    async def open(self) -> bool:
        """Open the socket; returns whether the server let it in. A refused one is counted as ended."""
        try:
            self._connection = await connect_socket(self._scene.endpoint, self._on_message, self._on_end)
        except (OSError, TimeoutError) as error:
            if not self._over.is_set():
                self._on_end(str(error) or type(error).__name__)
        return self._connection is not None

    async def hello(self, token: str, **fields: object) -> bool:
        """Say hello and wait for the answer; returns whether it is a success."""
        self.send(frame(orjson.dumps({"id": 0, "op": "hello", "token": token, **fields})))
        await self.wait_for_answers(1, HELLO_SECONDS)
        return b'"ok":' in self.last

    async def wait_for_answers(self, count: int, seconds: float) -> None:
        """Wait for `count` more messages or the end of the socket, for at most `seconds`."""
        self._wanted = self.answers + count
        self._enough.clear()
        await first_of(seconds, self._enough, self._over)

    async def wait_for_end(self, seconds: float) -> None:
        """Wait for the end of the socket, for at most `seconds`."""
        await first_of(seconds, self._over)

    def send(self, data: bytes) -> None:
        """Write frames, whether or not the server reads them."""
        if self._connection is not None:
            self._connection.send(data)

    def read(self, *, on: bool) -> None:
        """Start or stop reading."""
        if self._connection is not None:
            self._connection.read(on=on)

    async def close(self) -> None:
        """Close the socket if the server hasn't done so."""
        if not self._over.is_set() and self._connection is not None:
            self._connection.close()
            await first_of(1.0, self._over)

    def _on_message(self, message: bytes) -> None:
        self.answers += 1
        self.last = message
        self._scene.heard["ok" if b'"ok":' in message else _kind(message)] += 1
        if self.answers >= self._wanted:
            self._enough.set()

    def _on_end(self, reason: str) -> None:
        self._over.set()
        self._scene.ended[STILL_OPEN if reason == "closed" else ending(reason)] += 1


def ending(reason: str) -> str:
    """Return a reason with its close code in front, if it has one."""
    return f"{_NUMBERS[reason]} {reason}" if reason in _NUMBERS and reason != "disconnected" else reason


def _kind(message: bytes) -> str:
    return "push" if message.startswith(b'{"push"') else code_of(message)
