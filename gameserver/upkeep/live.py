"""Carries pushes from Redis to the sockets of this node."""

import asyncio
from collections.abc import Collection, Coroutine, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Protocol

import structlog

from gameserver.commands import boards
from gameserver.commands.boards import Leaderboards
from gameserver.rules.errors import GameError, PresenceUnavailable
from gameserver.rules.game import Game
from gameserver.rules.player import Player
from gameserver.storage.live import presence
from gameserver.storage.live.presence import Message
from gameserver.storage.live.pushes import Seen, StoredPush
from gameserver.storage.players.players import Players
from gameserver.storage.rooms import LiveRoom
from gameserver.storage.sessions.sessions import Session
from gameserver.telemetry import ONLINE

log = structlog.get_logger()


AT_A_TIME = 100


RETRY_SECONDS = 0.5


RANK_SECONDS = 1.0
"""How often places on boards are looked up for those who want to hear of them."""


RANKS = 100


class OpenSocket(Protocol):
    """A player's open socket."""

    session: Session | None

    @property
    def seen(self) -> Seen:
        """Up to where it has got the kept pushes."""

    def has_state(self, version: int) -> bool:
        """Whether the player's state of this version, or of a later one, has been sent."""

    def push_state(self, player: Player, max_hp: int) -> None: ...
    def push_kept(self, stream: str, kept: Sequence[StoredPush]) -> None: ...
    def push_rank(self, board: str, rank: int, score: int, total: int) -> None: ...


class OpenSockets(Protocol):
    """The open sockets of this node."""

    def __len__(self) -> int: ...
    def players(self) -> Collection[int]: ...
    def of(self, player_id: int) -> Collection[OpenSocket]: ...
    def ranked(self) -> Mapping[str, Sequence[OpenSocket]]: ...


@dataclass
class Live:
    """One per node, whose `work` goes on as long as the node."""

    room: LiveRoom
    players: Players
    leaderboards: Leaderboards
    game: Game
    connections: OpenSockets
    _changed: set[int] = field(default_factory=set)
    _kept: set[int] = field(default_factory=set)
    _notices: bool = False
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    def work(self) -> Sequence[Coroutine[Any, Any, None]]:
        """Each as a task of its own, to be cancelled until it ends: the driver can swallow a cancellation."""
        ONLINE.set_function(lambda: len(self.connections.players()))
        beat = self.room.presence.beat(self.connections.players, lambda: len(self.connections))
        return beat, self._hear(), self._tell(), self._rank()

    async def _hear(self) -> None:
        while True:
            try:
                async for message in self.room.presence.hear():
                    self._note(message)
            except PresenceUnavailable as error:
                log.warning("changes can't be heard", error=error.detail)
                await asyncio.sleep(RETRY_SECONDS)

    def _note(self, message: Message | None) -> None:
        if message is None:
            self._changed.update(self.connections.players())
            self._kept.update(self.connections.players())
            self._notices = True
        elif message.kind == presence.NOTICE:
            self._kept.update(self.connections.players())
            self._notices = True
        elif message.kind == presence.KEPT:
            self._kept.update(message.numbers)
        else:
            self._changed.update(each for each, version in message.numbers.items() if self._is_behind(each, version))
        if self._changed or self._kept or self._notices:
            self._wake.set()

    def _is_behind(self, player_id: int, version: int) -> bool:
        return not all(each.has_state(version) for each in self.connections.of(player_id))

    async def _tell(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                await self._deliver_kept()
                await self._show_changed()
            except GameError as error:
                log.warning("players can't be told", error=error.detail)
                await asyncio.sleep(RETRY_SECONDS)
                self._wake.set()

    async def _deliver_kept(self) -> None:
        if self._notices:
            self._notices = False  # before the wait: another notice may come during it
            try:
                await self.room.pushes.load_notices()
            except GameError:
                self._notices = True
                raise
        while self._kept:
            ids = _taken(self._kept, AT_A_TIME)
            try:
                await self._deliver_to([(each, own) for each in ids for own in self.connections.of(each)])
            except GameError:
                self._kept.update(ids)
                raise

    async def _deliver_to(self, asked: Sequence[tuple[int, OpenSocket]]) -> None:
        found = await self.room.pushes.catch_up([(each, own.seen) for each, own in asked])
        for (_, own), opened in zip(asked, found, strict=True):
            own.push_kept(opened.stream, opened.missed)

    async def _show_changed(self) -> None:
        game = self.game
        while self._changed:
            ids = _taken(self._changed, AT_A_TIME)
            try:
                found = await self.players.read(ids)
            except GameError:
                self._changed.update(ids)
                raise
            for player in found.values():
                for own in self.connections.of(player.id):
                    own.push_state(player, game.max_hp(player.class_name, player.level))

    async def _rank(self) -> None:
        while True:
            await asyncio.sleep(RANK_SECONDS)
            for board, asked in self.connections.ranked().items():
                try:
                    await self._rank_on(board, asked)
                except GameError as error:
                    log.info("places can't be told", board=board, error=error.detail)

    async def _rank_on(self, board: str, asked: Sequence[OpenSocket]) -> None:
        by_player: dict[int, list[OpenSocket]] = {}
        for connection in asked:
            if connection.session is not None:
                by_player.setdefault(connection.session.player_id, []).append(connection)
        for ids in _parts(by_player, RANKS):
            page = (await boards.ranks(self.leaderboards, board, boards.CURRENT, ids)).page
            for standing in page.standings:
                for connection in by_player[standing.player_id]:
                    connection.push_rank(board, standing.rank, standing.score, page.total)


def _taken(waiting: set[int], most: int) -> list[int]:
    """Some of those who wait, who don't any more; who comes again meanwhile waits again."""
    taken = list(islice(waiting, most))
    waiting.difference_update(taken)
    return taken


def _parts(ids: Iterable[int], size: int) -> Iterator[list[int]]:
    rest = iter(ids)
    while part := list(islice(rest, size)):
        yield part
