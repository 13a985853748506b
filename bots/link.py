"""One player's link to the servers: his session, his socket, and the patience to ask until answered.

The law: a request that got no answer, or one that says "try again", is asked again under the same key, over
any door and any node, until a final answer or the limit of time. Whoever gives up says so, and says whether
the request may have taken effect.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from random import Random
from typing import Any

import aiohttp

from bots import client, wire
from bots.sockets import Socket
from bots.tally import Tally

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 2.0

PlayerListener = Callable[[Any], None]


class Door(Enum):
    """The two ways in."""

    HTTP = "http"
    SOCKET = "socket"


@dataclass(frozen=True, slots=True)
class Network:
    """What all links share: connections, nodes, and how long to wait, per attempt and in all."""

    session: aiohttp.ClientSession
    urls: tuple[str, ...]
    attempt_seconds: float = 5.0
    patience_seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class Reply:
    """How a request ended: its final answer, or None and the code of the last attempt.

    `uncertain` means that the fate of an attempt is open, whatever the final answer says.
    """

    answer: wire.Answer | None
    uncertain: bool
    last_code: str = ""


class Link:
    """Asks on behalf of one player; safe for several requests at a time."""

    def __init__(self, network: Network, tally: Tally, random: Random, device: str | None) -> None:
        self._network = network
        self._tally = tally
        self._random = random
        self._device = device
        self._socket: Socket | None = None
        self._opening = asyncio.Lock()
        self._leave_at: float | None = None
        self._stream: dict[str, Any] | None = None
        self._had_socket = False
        self.token: str | None = None
        self.consistency: str | None = None
        self.on_player: PlayerListener = _ignore

    async def ask(self, request: wire.Request, door: Door) -> Reply:
        """Ask until there is a final answer or patience ends."""
        now = asyncio.get_running_loop().time
        deadline = now() + self._network.patience_seconds
        uncertain = False
        for attempt in range(1_000_000):
            answer = await self._attempt(request, door, deadline - now())
            if answer.kind is wire.Kind.LOGIN:
                answer = await self._renew(answer, deadline - now())
            if answer.kind is not wire.Kind.RETRY:
                return Reply(answer, uncertain)
            uncertain |= answer.uncertain
            pause = self._pause(attempt, answer.retry_after)
            if now() + pause >= deadline:
                break
            await asyncio.sleep(pause)
            door = self._other_way(request, door)
        return Reply(None, uncertain, answer.code)

    async def log_in(self) -> Reply:
        """Open a new session with the device; a failed attempt is retried like any request."""
        request = wire.Request("log_in", "POST", "/v1/sessions", body={"device": self._device})
        reply = await self.ask(request, Door.HTTP)
        if reply.answer is not None and reply.answer.kind is wire.Kind.OK:
            self._tally.happened["logins"] += 1
            self.open_session(reply.answer.body)
        return reply

    def open_session(self, body: Mapping[str, Any]) -> None:
        """Take the token from the answer to a sign-up or log-in."""
        session = body.get("session")
        token = session.get("token") if isinstance(session, Mapping) else None
        if not isinstance(token, str):
            raise wire.BadAnswerError(f"no session.token in {body!r:.120}")
        self.token = token

    async def close(self) -> None:
        """Close the socket, if there is one."""
        socket, self._socket = self._socket, None
        if socket is not None:
            await socket.close()

    async def _attempt(self, request: wire.Request, door: Door, seconds: float) -> wire.Answer:
        seconds = max(0.1, min(seconds, self._network.attempt_seconds))
        try:
            if door is Door.SOCKET and request.op and not self._keeping_away():
                socket = await self._open_socket()
                answer = await socket.ask(request.op, request.fields, seconds)
            else:
                url = self._random.choice(self._network.urls)
                answer = await client.send(self._network.session, url, request, self._headers(), seconds)
        except wire.LostError as error:
            answer = error.answer
            if door is Door.SOCKET and answer.code == "timeout":
                await self.close()
        if answer.kind is wire.Kind.RETRY:
            self._tally.errors[answer.code] += 1
            self._tally.happened["retries"] += 1
        return answer

    def _headers(self) -> dict[str, str]:
        headers = {} if self.token is None else {"Authorization": f"Bearer {self.token}"}
        if self.consistency is not None:
            headers["Consistency-Token"] = self.consistency
        return headers

    def _pause(self, attempt: int, retry_after: float | None) -> float:
        """Jittered exponential backoff in seconds, never less than what the server asked for."""
        backoff: float = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(attempt, 10)) * self._random.uniform(0.5, 1.0)
        return max(backoff, (retry_after or 0.0) * self._random.uniform(1.0, 1.25))

    def _other_way(self, request: wire.Request, door: Door) -> Door:
        if not request.op or not self._had_socket:
            return door
        return self._random.choice((Door.HTTP, Door.SOCKET))

    async def _renew(self, denied: wire.Answer, seconds: float) -> wire.Answer:
        """Log in again after a denial; what comes back tells to retry, or is the log-in's failure."""
        self._tally.errors[denied.code] += 1
        if self._device is None:
            return replace(denied, kind=wire.Kind.FAILED)
        request = wire.Request("log_in", "POST", "/v1/sessions", body={"device": self._device})
        answer = await self._attempt(request, Door.HTTP, seconds)
        if answer.kind is not wire.Kind.OK:
            kind = wire.Kind.FAILED if answer.kind is wire.Kind.LOGIN else answer.kind
            return replace(answer, kind=kind, uncertain=denied.uncertain)
        self._tally.happened["logins"] += 1
        self.open_session(answer.body)
        await self.close()
        return wire.Answer(wire.Kind.RETRY, denied.code, uncertain=denied.uncertain)

    async def _open_socket(self) -> Socket:
        """Return the open socket, or open one to any node and say hello; raises LostError."""
        async with self._opening:
            if self._socket is not None and not self._socket.ended and not self._told_to_leave():
                return self._socket
            await self.close()
            url = self._random.choice(self._network.urls)
            socket = await Socket.connect(self._network.session, url, self._on_push)
            try:
                await self._hello(socket)
            except wire.LostError as error:
                await socket.close()
                raise wire.LostError(replace(error.answer, uncertain=False)) from error
            except BaseException:
                await socket.close()
                raise
            self._tally.happened["reconnects" if self._had_socket else "sockets"] += 1
            self._socket, self._had_socket, self._leave_at = socket, True, None
            return socket

    async def _hello(self, socket: Socket) -> None:
        fields: dict[str, Any] = {"token": self.token}
        if self._stream is not None:
            fields["resume"] = self._stream
        answer = await socket.ask("hello", fields, self._network.attempt_seconds)
        if answer.kind is not wire.Kind.OK:
            raise wire.LostError(answer)
        self.on_player(answer.body.get("player"))
        if isinstance(answer.body.get("stream"), str) and isinstance(answer.body.get("seq"), int):
            self._stream = {"stream": answer.body["stream"], "seq": answer.body["seq"]}

    def _keeping_away(self) -> bool:
        """Whether a server that went away asked not to come back yet; HTTP serves until then."""
        gone = self._socket is not None and self._socket.ended
        return gone and self._leave_at is not None and not self._told_to_leave()

    def _told_to_leave(self) -> bool:
        return self._leave_at is not None and asyncio.get_running_loop().time() >= self._leave_at

    def _on_push(self, frame: Mapping[str, Any]) -> None:
        data = frame.get("data") or {}
        if self._stream is not None and isinstance(frame.get("seq"), int):
            self._stream["seq"] = frame["seq"]
        if frame["push"] == "player":
            self.on_player(data.get("player", data))
        elif frame["push"] == "going_away":
            pause = float(data.get("reconnect_after_ms", 0)) / 1000
            self._leave_at = asyncio.get_running_loop().time() + pause


def _ignore(_player: Any) -> None:
    """A link that nobody listens to."""
