"""All open sockets of a node: looked up by player for pushes, ended by session, and sent away when the node stops."""

import asyncio
import contextlib
import random
from collections.abc import Collection, Iterator, Sequence

from aiohttp import web

from gameserver.commands.results import Session
from gameserver.transport.board_pages import BoardPages
from gameserver.transport.socket.memory import HeldMemory, MemoryLimits
from gameserver.transport.socket.places import SocketLimits, SocketPlaces
from gameserver.transport.socket.player_socket import PlayerSocket
from gameserver.transport.wire import RANK_TOPIC, Close
from gameserver.waiting import wait_at_most

SPREAD, GRACE = 0.4, 0.3
"""Parts of a drain's time: clients are told to reconnect within the first, and have the second to finish after that."""


class Sockets:
    """One per node. A player may have `per_player` sockets; one more closes its oldest. `pages`: the boards' tops."""

    def __init__(self, per_player: int, pages: BoardPages, limits: SocketLimits, memory: MemoryLimits) -> None:
        self._per_player = per_player
        self.pages = pages
        self.places, self.memory = SocketPlaces(limits), HeldMemory(memory)
        self._open: set[PlayerSocket] = set()
        self._by_player: dict[int, dict[PlayerSocket, None]] = {}
        self._ranked: set[PlayerSocket] = set()

    def __len__(self) -> int:
        return len(self._open)

    @contextlib.contextmanager
    def registered(self, socket: PlayerSocket) -> Iterator[None]:
        """The socket is one of the open ones while the block runs."""
        self._open.add(socket)
        try:
            yield
        finally:
            socket.left.set()
            self.memory.forget(socket)
            self._open.discard(socket)
            self._ranked.discard(socket)
            if socket.session is not None:
                self._forget(socket, socket.session.player_id)

    def _forget(self, socket: PlayerSocket, player_id: int) -> None:
        sockets = self._by_player.get(player_id, {})
        sockets.pop(socket, None)
        if not sockets:
            self._by_player.pop(player_id, None)

    def admit(self, socket: PlayerSocket, session: Session) -> None:
        """The socket has said hello with this session."""
        socket.session = session
        socket.place.greet()
        sockets = self._by_player.setdefault(session.player_id, {})
        sockets[socket] = None
        if len(sockets) > self._per_player:
            oldest = next(iter(sockets))
            del sockets[oldest]
            oldest.channel.end(Close.TOO_MANY, "too many sockets")

    def players(self) -> Collection[int]:
        """The players that have said hello here."""
        return self._by_player.keys()

    def of(self, player_id: int) -> Collection[PlayerSocket]:
        """The player's sockets here."""
        return self._by_player.get(player_id, {}).keys()

    def subscribe(self, socket: PlayerSocket, topics: frozenset[str]) -> None:
        """Sets what the socket is pushed from now on."""
        socket.topics = topics
        boards = {topic.removeprefix(RANK_TOPIC) for topic in topics if topic.startswith(RANK_TOPIC)}
        socket.standings = {board: standing for board, standing in socket.standings.items() if board in boards}
        (self._ranked.add if boards else self._ranked.discard)(socket)

    def ranked(self) -> dict[str, list[PlayerSocket]]:
        """The sockets that subscribe to their player's place, by board."""
        by_board: dict[str, list[PlayerSocket]] = {}
        for socket in self._ranked:
            for topic in socket.topics:
                if topic.startswith(RANK_TOPIC):
                    by_board.setdefault(topic.removeprefix(RANK_TOPIC), []).append(socket)
        return by_board

    def sessions(self) -> list[Session]:
        """The sessions of all sockets, as they were last checked."""
        return [socket.session for socket in self._open if socket.session is not None]

    def end_sessions(self, names: Sequence[str]) -> None:
        """Closes the sockets of sessions that were revoked."""
        ended = set(names)
        if not ended:
            return
        for socket in list(self._open):
            if socket.session is not None and socket.session.name in ended:
                socket.channel.end(Close.SESSION_REVOKED, "session revoked")

    async def go_away(self, seconds: float) -> None:
        """Tells every client to reconnect elsewhere, each after its own delay, and closes those within `seconds`.

        A client may finish its requests and close by itself. One that is still here some time after its delay is
        closed as soon as the requests it sent until then are answered. When this is cancelled, the others stay.
        """
        told = list(self._open)
        leaving = [
            asyncio.create_task(_send_away(socket, random.uniform(0, SPREAD * seconds), GRACE * seconds))  # noqa: S311
            for socket in told
        ]
        try:
            if leaving:
                await asyncio.wait(leaving, timeout=seconds)
        finally:
            for task in leaving:
                task.cancel()
        for socket in told:
            socket.channel.end(Close.GOING_AWAY, "going away")


async def _send_away(socket: PlayerSocket, delay: float, grace: float) -> None:
    socket.push("going_away", {"reconnect_after_ms": int(delay * 1000)})
    await wait_at_most(socket.left, delay + grace)
    if socket.requests:
        await asyncio.wait(socket.requests)
    socket.channel.end(Close.GOING_AWAY, "going away")
    await socket.channel.wait_closed()


SOCKETS = web.AppKey("sockets", Sockets)
