"""A player's connection: the socket that he has now, and the way from one to the next.

The law: at any time there is at most one socket that requests go to. When a server says `going_away`, the player goes
on there until the delay has passed; then the next socket is opened and greeted, requests go to that one, and the old
one is closed once everything is answered. He notices nothing. A lost socket is opened again by the next request, after
a pause with full jitter, since others have lost theirs in the same moment.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from random import Random
from typing import Any

from bots.count.tally import Tally
from bots.wire import wire
from bots.wire.backoff import Backoff
from bots.wire.interruptions import LOST, SENT_AWAY, Interruption
from bots.wire.network import Network
from bots.wire.pushes import Delivery, Pushes
from bots.wire.socket import Socket

LONGEST_PAUSE = 4.0
LONGEST_DELAY_MS = 60_000.0
TOPICS = ("player", "mail")


class Connection:
    """Asks over one socket after another; `token` is asked for with every hello."""

    def __init__(self, network: Network, tally: Tally, random: Random, token: Callable[[], str | None]) -> None:
        self.pushes = Pushes()
        self.interruption = Interruption(tally)
        self.had_socket = False
        self._network = network
        self._tally = tally
        self._random = random
        self._token = token
        self._backoff = Backoff(random, network.spread_seconds, LONGEST_PAUSE)
        self._not_before = 0.0
        self._subscribes = True
        self._socket: Socket | None = None
        self._opening = asyncio.Lock()
        self._moving: asyncio.Task[None] | None = None
        self._goodbyes: set[asyncio.Task[None]] = set()

    async def ask(self, op: str, fields: Mapping[str, Any], seconds: float) -> wire.Answer:
        """Ask over the present socket, or the next one; `seconds` begin when it is open. Raises LostError."""
        async with self._opening:
            socket = await self._present()
        return await socket.ask(op, fields, seconds)

    async def close(self) -> None:
        """Close whatever is open."""
        if self._moving is not None:
            self._moving.cancel()
            await asyncio.wait({self._moving})
        self._part_with(self._socket)
        self._socket = None
        if self._goodbyes:
            await asyncio.wait(self._goodbyes)

    async def _present(self) -> Socket:
        """Return the socket that may be asked; raises LostError if one must be opened and can't."""
        while self._socket is None or self._socket.ended:
            if self._moving is not None and not self._moving.done():
                await asyncio.wait({self._moving})
            else:
                await self._open()
        return self._socket

    async def _open(self, leaving: str = "") -> None:
        """Open the next socket once the pause is over, elsewhere if there is an elsewhere; raises LostError."""
        now = asyncio.get_running_loop().time
        await asyncio.sleep(self._not_before - now())
        urls = [url for url in self._network.urls if url != leaving] or self._network.urls
        series = self._tally.again if self.had_socket else self._tally.first
        series.attempted(self._tally.since_start(now()))
        try:
            socket = await self._connect(self._random.choice(urls))
        except wire.LostError:
            self._not_before = now() + self._backoff.next()
            raise
        series.succeeded(self._tally.since_start(now()))
        self._tally.happened["reconnects" if self.had_socket else "sockets"] += 1
        self._backoff.reset()
        self.interruption.arrived()
        self._socket, self.had_socket = socket, True
        self._move_if_told(socket)

    async def _connect(self, url: str) -> Socket:
        """Open a socket to `url` and say hello; raises LostError."""
        delivery = Delivery(self.pushes)
        socket = await Socket.connect(
            self._network.session, url, lambda socket, frame: self._on_push(socket, delivery, frame), self._on_end
        )
        try:
            await self._hello(socket, delivery)
            await self._subscribe(socket)
        except wire.LostError as error:
            await socket.close()
            raise wire.LostError(replace(error.answer, uncertain=False)) from error
        except BaseException:
            await socket.close()
            raise
        return socket

    async def _hello(self, socket: Socket, delivery: Delivery) -> None:
        fields: dict[str, Any] = {"token": self._token()}
        resume = self.pushes.resume()
        if resume is not None:
            fields["resume"] = resume
        answer = await socket.ask("hello", fields, self._network.attempt_seconds)
        if answer.kind is not wire.Kind.OK:
            raise wire.LostError(answer)
        delivery.greeted(answer.body)
        if resume is not None:
            self._tally.happened["resumed" if answer.body.get("resumed") is True else "not resumed"] += 1

    async def _subscribe(self, socket: Socket) -> None:
        """Ask for pushes; a server that doesn't know how isn't asked again. Raises LostError."""
        if not self._subscribes:
            return
        answer = await socket.ask("subscribe", {"topics": TOPICS}, self._network.attempt_seconds)
        self._subscribes = answer.kind is not wire.Kind.FAILED
        if answer.kind is not wire.Kind.OK:
            self._tally.happened[f"subscribe {answer.code}"] += 1

    def _on_push(self, socket: Socket, delivery: Delivery, frame: Mapping[str, Any]) -> None:
        self._tally.happened["pushes"] += 1
        delivery.take(frame)
        if frame["push"] == "going_away" and socket.leave_after is None:
            self._tally.happened["going_away"] += 1
            socket.leave_after = milliseconds(frame.get("data")) / 1000
            if socket is self._socket:
                self._move_if_told(socket)

    def _on_end(self, socket: Socket) -> None:
        """Take the loss of the present socket; one that was to be left is replaced at once."""
        if socket is self._socket and socket.leave_after is not None:
            self.interruption.begin(SENT_AWAY)
        elif socket is self._socket:
            self._tally.happened["connections lost"] += 1
            self.interruption.begin(LOST)
            self._not_before = asyncio.get_running_loop().time() + self._backoff.next()

    def _move_if_told(self, socket: Socket) -> None:
        if socket.leave_after is not None and (self._moving is None or self._moving.done()):
            self._moving = asyncio.create_task(self._move())

    async def _move(self) -> None:
        """Move to another socket, and on from that as long as the servers behind them go away."""
        while self._socket is not None and self._socket.leave_after is not None:
            await self._leave(self._socket, self._socket.leave_after)

    async def _leave(self, old: Socket, seconds: float) -> None:
        """Open the next socket and then close the old one; if that ends first, the next one is opened at once."""
        await old.until_ended(seconds)
        while self._socket is old:
            try:
                await self._open(leaving=old.url)
            except wire.LostError as error:
                self._tally.happened[f"while moving {error.answer.code}"] += 1
                if old.ended or error.answer.kind is wire.Kind.LOGIN:
                    self._socket = None
        if self._socket is not None:
            self._tally.happened["going_away heeded" if not old.ended else "closed before the move"] += 1
        await old.quiet()
        self._part_with(old)

    def _part_with(self, socket: Socket | None) -> None:
        """Close a socket; nobody waits for that but `close`."""
        if socket is not None:
            goodbye = asyncio.create_task(socket.close())
            self._goodbyes.add(goodbye)
            goodbye.add_done_callback(self._goodbyes.discard)


def milliseconds(data: Any) -> float:
    """Read the delay of a `going_away`, at most a minute; one that isn't there, or makes no sense, is 0."""
    value = data.get("reconnect_after_ms") if isinstance(data, Mapping) else None
    return min(max(0.0, float(value)), LONGEST_DELAY_MS) if isinstance(value, int | float) else 0.0
