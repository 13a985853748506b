"""A player's connection: the socket that it has now, and the move from one socket to the next.

The law: at any time there is at most one socket that requests go to. When a server pushes `going_away`, the player
stays until the announced delay has passed; then the next socket is opened and greeted, new requests go there, and the
old socket is closed once all of its requests are answered. The player notices nothing. A lost socket is replaced by
the next request, after a pause with full jitter, since many players lose theirs at the same moment.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from random import Random
from typing import Any

from bots.count.tally import Tally
from bots.wire.answers import Answer, AnswerKind, LostError
from bots.wire.backoff import Backoff
from bots.wire.interruptions import LOST, SENT_AWAY, Interruption
from bots.wire.network import Network
from bots.wire.pushes import PushHistory, SocketPushes
from bots.wire.socket import GameSocket

LONGEST_PAUSE = 4.0
LONGEST_DELAY_MS = 60_000.0
TOPICS = ("player", "mail", "notice", "season")


class PlayerConnection:
    """Sends requests over one socket after another; `token` is called for every hello."""

    def __init__(
        self, network: Network, tally: Tally, random: Random, token: Callable[[], str | None], process: int = 0
    ) -> None:
        """`process` is the client's number in the history."""
        self.pushes = PushHistory()
        self._process = process
        self.interruption = Interruption(tally)
        self.had_socket = False
        self._network = network
        self._tally = tally
        self._random = random
        self._token = token
        self._backoff = Backoff(random, network.spread_seconds, LONGEST_PAUSE)
        self._not_before = 0.0
        self._subscribes = True
        self._socket: GameSocket | None = None
        self.node = ""
        self._opening = asyncio.Lock()
        self._moving: asyncio.Task[None] | None = None
        self._closings: set[asyncio.Task[None]] = set()

    def send(self, op: str, fields: Mapping[str, Any], seconds: float) -> Awaitable[Answer]:
        """Send a request over the present socket or the next; `seconds` begin when it is open. Raises LostError."""
        socket = self._socket
        if socket is None or socket.ended or self._opening.locked():
            return self._send_over_next(op, fields, seconds)
        return socket.send(op, fields, seconds)

    async def _send_over_next(self, op: str, fields: Mapping[str, Any], seconds: float) -> Answer:
        async with self._opening:
            socket = await self._present()
        return await socket.send(op, fields, seconds)

    @property
    def connected(self) -> bool:
        """Whether there is an open socket."""
        return self._socket is not None and not self._socket.ended

    async def close(self) -> None:
        """Close whatever is open."""
        if self._moving is not None:
            self._moving.cancel()
            await asyncio.wait({self._moving})
        self._begin_close(self._socket)
        self._socket = None
        if self._closings:
            await asyncio.wait(self._closings)

    async def _present(self) -> GameSocket:
        """Return the socket for a new request; raises LostError if one must be opened and can't."""
        while self._socket is None or self._socket.ended:
            if self._moving is not None and not self._moving.done():
                await asyncio.wait({self._moving})
            else:
                await self._open()
        return self._socket

    async def _open(self, leaving: str = "") -> None:
        """Open the next socket once the pause is over, at another address if there is one; raises LostError."""
        now = asyncio.get_running_loop().time
        await asyncio.sleep(self._not_before - now())
        urls = [url for url in self._network.urls if url != leaving] or self._network.urls
        series = self._tally.again if self.had_socket else self._tally.first
        series.attempted(self._tally.since_start(now()))
        try:
            socket = await self._connect(self._random.choice(urls))
        except LostError:
            self._not_before = now() + self._backoff.next()
            raise
        series.succeeded(self._tally.since_start(now()))
        self._tally.happened["reconnects" if self.had_socket else "sockets"] += 1
        self._backoff.reset()
        self.interruption.arrived()
        self._socket, self.had_socket, self.node = socket, True, socket.node or socket.url
        self._move_if_due(socket)

    async def _connect(self, url: str) -> GameSocket:
        """Open a socket to `url` and say hello; raises LostError."""
        socket_pushes = SocketPushes(self.pushes)
        self._note("connect", {"socket": socket_pushes.number})
        socket = await GameSocket.connect(
            url, lambda socket, frame: self._on_push(socket, socket_pushes, frame), self._on_end
        )
        try:
            await self._hello(socket, socket_pushes)
            if await self._subscribe(socket):
                self._note("caught_up", {"socket": socket_pushes.number})
                socket_pushes.caught_up()
        except LostError as error:
            await socket.close()
            raise LostError(error.answer._replace(uncertain=False)) from error
        except BaseException:
            await socket.close()
            raise
        return socket

    async def _hello(self, socket: GameSocket, socket_pushes: SocketPushes) -> None:
        fields: dict[str, Any] = {"token": self._token()}
        resume = socket_pushes.resume
        if resume is not None:
            fields["resume"] = resume
        answer = await socket.send("hello", fields, self._network.attempt_seconds)
        if not answer.ok:
            raise LostError(answer)
        self._note("hello", {**answer.body, "socket": socket_pushes.number})
        socket_pushes.greeted(answer.body)
        socket.node = str(answer.body.get("node") or "")
        if resume is not None:
            self._tally.happened["resumed" if answer.body.get("resumed") is True else "not resumed"] += 1

    async def _subscribe(self, socket: GameSocket) -> bool:
        """Subscribe to pushes; returns whether that was answered. Raises LostError.

        After a server that doesn't know the request, no more.
        """
        if not self._subscribes:
            return False
        answer = await socket.send("subscribe", {"topics": TOPICS}, self._network.attempt_seconds)
        self._subscribes = answer.kind is not AnswerKind.FAILED
        if not answer.ok:
            self._tally.happened[f"subscribe {answer.code}"] += 1
        return answer.ok

    def _on_push(self, socket: GameSocket, socket_pushes: SocketPushes, frame: Mapping[str, Any]) -> None:
        self._tally.happened["pushes"] += 1
        self._note("push", {**frame, "socket": socket_pushes.number})
        socket_pushes.take(frame)
        if frame["push"] == "going_away" and socket.leave_after is None:
            self._tally.happened["going_away"] += 1
            socket.leave_after = milliseconds(frame.get("data")) / 1000
            if socket is self._socket:
                self._move_if_due(socket)

    def _note(self, f: str, value: Mapping[str, Any]) -> None:
        if self._network.history is not None:
            self._network.history.note(self._process, f, value)

    def _on_end(self, socket: GameSocket) -> None:
        """Note the loss of the present socket; one that was being left anyway needs no pause before the next."""
        if socket is self._socket and socket.leave_after is not None:
            self.interruption.begin(SENT_AWAY)
        elif socket is self._socket:
            self._tally.happened["connections lost"] += 1
            self.interruption.begin(LOST)
            self._not_before = asyncio.get_running_loop().time() + self._backoff.next()

    def _move_if_due(self, socket: GameSocket) -> None:
        if socket.leave_after is not None and (self._moving is None or self._moving.done()):
            self._moving = asyncio.create_task(self._move())

    async def _move(self) -> None:
        """Move to another socket, and on from there if its server goes away too."""
        while self._socket is not None and self._socket.leave_after is not None:
            await self._leave(self._socket, self._socket.leave_after)

    async def _leave(self, old: GameSocket, seconds: float) -> None:
        """Open the next socket and then close the old one; if the old one ends early, the next is opened at once."""
        await old.until_ended(seconds)
        while self._socket is old:
            try:
                await self._open(leaving=old.url)
            except LostError as error:
                self._tally.happened[f"while moving {error.answer.code}"] += 1
                if old.ended or error.answer.kind is AnswerKind.LOGIN:
                    self._socket = None
        if self._socket is not None:
            self._tally.happened["going_away heeded" if not old.ended else "closed before the move"] += 1
        await old.quiet()
        self._begin_close(old)

    def _begin_close(self, socket: GameSocket | None) -> None:
        """Begin to close a socket; only `close` waits for the end of that."""
        if socket is not None:
            closing = asyncio.create_task(socket.close())
            self._closings.add(closing)
            closing.add_done_callback(self._closings.discard)


def milliseconds(data: Any) -> float:
    """Read the delay of a `going_away`, at most a minute; a missing or senseless one is 0."""
    value = data.get("reconnect_after_ms") if isinstance(data, Mapping) else None
    return min(max(0.0, float(value)), LONGEST_DELAY_MS) if isinstance(value, int | float) else 0.0
