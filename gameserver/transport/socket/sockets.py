"""All open sockets of a node: found by player for pushes, ended by session, and sent away when the node stops."""

import asyncio
import contextlib
import random
from collections.abc import Collection, Iterator, Sequence

from aiohttp import web

from gameserver.commands.results import Session
from gameserver.transport.board_pages import BoardPages
from gameserver.transport.socket.socket import Socket
from gameserver.transport.wire import RANK_TOPIC, Close

SPREAD, GRACE = 0.4, 0.3
"""Parts of a drain's time: over which peers are told to come back, and for which each may still finish after that."""


class Sockets:
    """`per_player` sockets of one player are kept open; one more closes his oldest. `pages` are the boards' tops."""

    def __init__(self, per_player: int, pages: BoardPages) -> None:
        self._per_player = per_player
        self.pages = pages
        self._open: set[Socket] = set()
        self._by_player: dict[int, dict[Socket, None]] = {}
        self._ranked: set[Socket] = set()

    def __len__(self) -> int:
        return len(self._open)

    @contextlib.contextmanager
    def keeping(self, socket: Socket) -> Iterator[None]:
        """Counts the socket as open."""
        self._open.add(socket)
        try:
            yield
        finally:
            socket.gone()
            self._open.discard(socket)
            self._ranked.discard(socket)
            if socket.session is not None:
                self._forget(socket, socket.session.player_id)

    def _forget(self, socket: Socket, player_id: int) -> None:
        own = self._by_player.get(player_id, {})
        own.pop(socket, None)
        if not own:
            self._by_player.pop(player_id, None)

    def admit(self, socket: Socket, session: Session) -> None:
        """The socket says hello for a session."""
        socket.session = session
        own = self._by_player.setdefault(session.player_id, {})
        own[socket] = None
        if len(own) > self._per_player:
            oldest = next(iter(own))
            del own[oldest]
            oldest.end(Close.TOO_MANY, "too many sockets")

    def players(self) -> Collection[int]:
        """The players who have said hello here."""
        return self._by_player.keys()

    def of(self, player_id: int) -> Collection[Socket]:
        return self._by_player.get(player_id, {}).keys()

    def subscribe(self, socket: Socket, topics: frozenset[str]) -> None:
        """The pushes that a socket wants from now on."""
        socket.topics = topics
        boards = {each.removeprefix(RANK_TOPIC) for each in topics if each.startswith(RANK_TOPIC)}
        socket.standings = {board: told for board, told in socket.standings.items() if board in boards}
        (self._ranked.add if boards else self._ranked.discard)(socket)

    def ranked(self) -> dict[str, list[Socket]]:
        """The sockets that want to hear of their player's place, by board."""
        found: dict[str, list[Socket]] = {}
        for socket in self._ranked:
            for topic in socket.topics:
                if topic.startswith(RANK_TOPIC):
                    found.setdefault(topic.removeprefix(RANK_TOPIC), []).append(socket)
        return found

    def sessions(self) -> list[Session]:
        """Those that are held by a socket, as they were checked last."""
        return [socket.session for socket in self._open if socket.session is not None]

    def end_sessions(self, names: Sequence[str]) -> None:
        """Closes the sockets of sessions that were revoked."""
        ended = set(names)
        if not ended:
            return
        for socket in list(self._open):
            if socket.session is not None and socket.session.name in ended:
                socket.end(Close.SESSION_REVOKED, "session revoked")

    async def go_away(self, seconds: float) -> None:
        """Tells every peer to come back elsewhere, after a delay of its own, and closes all within `seconds`.

        A peer may finish what it has asked and close by itself; who hasn't some time after his delay is closed, once
        what he asked until then is answered.
        """
        leaving = [
            asyncio.create_task(_send_away(socket, random.uniform(0, SPREAD * seconds), GRACE * seconds))  # noqa: S311
            for socket in self._open
        ]
        if leaving:
            _, late = await asyncio.wait(leaving, timeout=seconds)
            for task in late:
                task.cancel()
        for socket in list(self._open):
            socket.end(Close.GOING_AWAY, "going away")


async def _send_away(socket: Socket, delay: float, grace: float) -> None:
    socket.push("going_away", {"reconnect_after_ms": int(delay * 1000)})
    await socket.until_closing(delay + grace)
    if socket.requests:
        await asyncio.wait(socket.requests)
    socket.end(Close.GOING_AWAY, "going away")
    await socket.ended()


SOCKETS = web.AppKey("sockets", Sockets)
