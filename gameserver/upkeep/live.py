"""Carries pushes from Redis to the sockets of this node: changed players, stored pushes and notices, and ranks.

Law: listening never waits for a read, and a failed read is tried again. After every gap in listening all players of
the node are read again, so a change may be shown late but is never missed, and always a player's newest state is shown:
also when that is an older one, since the database was failed over or restored and lost what came after.
"""

import asyncio
from collections.abc import Collection, Coroutine, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count, islice
from typing import Any, Protocol

import structlog

from gameserver.commands import boards
from gameserver.commands.boards import Leaderboards
from gameserver.rules.editions import RulesInForce
from gameserver.rules.errors import BoardNotFound, GameError, PresenceUnavailable
from gameserver.rules.player import Player, shown_max_hp
from gameserver.storage.live import presence
from gameserver.storage.live.presence import Message
from gameserver.storage.live.pushes import Seen
from gameserver.storage.live.stored_push import StoredPush
from gameserver.storage.players.players import Players
from gameserver.storage.postgres.driver import Lineage
from gameserver.storage.rooms import LiveRoom
from gameserver.storage.sessions.sessions import Session
from gameserver.telemetry import ONLINE

log = structlog.get_logger()


CHUNK = 100
"""Players in one read."""
RETRY_SECONDS = 0.5
RENEW_SECONDS = 120
"""How often each connected player's stream is read, so that it stays, and is there again if Redis has lost it."""
RANK_SECONDS = 1.0
"""How often ranks are looked up for the sockets that subscribe to a board."""


class OpenSocket(Protocol):
    """A player's open socket."""

    session: Session | None

    @property
    def seen(self) -> Seen:
        """Up to where it has received its player's stored pushes."""

    def has_state(self, version: int) -> bool:
        """Whether the player's state of this version, or of a later one, has been sent."""

    def doubt_state(self) -> None:
        """The player's database may have gone back, and with it the state that was sent."""

    def push_state(self, player: Player, max_hp: int) -> None: ...
    def push_stored(self, stream: str, kept: Sequence[StoredPush]) -> None: ...
    def push_rank(self, board: str, rank: int, score: int, total: int) -> None: ...


class OpenSockets(Protocol):
    """The open sockets of this node."""

    def __len__(self) -> int: ...
    def players(self) -> Collection[int]: ...
    def of(self, player_id: int) -> Collection[OpenSocket]: ...
    def ranked(self) -> Mapping[str, Sequence[OpenSocket]]: ...


@dataclass
class Live:
    """One per node; `work` goes on as long as the node runs."""

    room: LiveRoom
    players: Players
    leaderboards: Leaderboards
    rules: RulesInForce
    sockets: OpenSockets
    _changed: set[int] = field(init=False, default_factory=set)
    """Players to be shown again."""
    _stored: set[int] = field(init=False, default_factory=set)
    """Players with stored pushes to deliver."""
    _notices: bool = field(init=False, default=False)
    """Whether notices to all are to be loaded again."""
    _wake: asyncio.Event = field(init=False, default_factory=asyncio.Event)
    _lineages: dict[str, Lineage] = field(init=False, default_factory=dict)
    """That of each database's primary when it was looked at last."""
    _unread: dict[str, set[int]] = field(init=False, default_factory=dict)
    """Of the players to be shown again, those that are being read, by database."""

    def work(self) -> Sequence[Coroutine[Any, Any, None]]:
        """Coroutines to be run as tasks, and cancelled until they end: the driver can swallow a cancellation."""
        ONLINE.set_function(lambda: len(self.sockets.players()))
        beat = self.room.presence.beat(self.sockets.players, lambda: len(self.sockets))
        return beat, self._listen(), self._push(), self._push_ranks(), self._renew()

    async def _renew(self) -> None:
        """A second's share of the players at a time; and all of a database that may have gone back."""
        for turn in count():
            self._doubt_states()
            await asyncio.sleep(1)
            players = self.sockets.players()
            self._stored.update(player for player in players if (player >> 22) % RENEW_SECONDS == turn % RENEW_SECONDS)
            self._wake.set()

    def _doubt_states(self) -> None:
        """Has the players of each database that has another lineage since be read again, and shown what they are."""
        now = self.players.lineages()
        others = {name for name, lineage in now.items() if self._lineages.get(name, lineage) != lineage}
        self._lineages.update(now)
        if not others:
            return
        for name, ids in self.players.by_database(self.sockets.players()).items():
            if name in others:
                self._changed.update(ids)
                self._wake.set()
                for player_id in ids:
                    for socket in self.sockets.of(player_id):
                        socket.doubt_state()

    async def _listen(self) -> None:
        while True:
            try:
                async for message in self.room.presence.hear():
                    self._note(message)
            except PresenceUnavailable as error:
                log.warning("no pushes from Redis", error=error.detail)
                await asyncio.sleep(RETRY_SECONDS)

    def _note(self, message: Message | None) -> None:
        """Notes what a message makes necessary; None is a gap, in which anything may have been missed."""
        if message is None:
            self._changed.update(self.sockets.players())
            self._stored.update(self.sockets.players())
            self._notices = True
        elif message.kind == presence.NOTICE:
            self._stored.update(self.sockets.players())
            self._notices = True
        elif message.kind == presence.KEPT:
            self._stored.update(message.numbers)
        else:
            versions = message.numbers.items()
            self._changed.update(player_id for player_id, version in versions if self._is_behind(player_id, version))
        if self._changed or self._stored or self._notices:
            self._wake.set()

    def _is_behind(self, player_id: int, version: int) -> bool:
        return not all(socket.has_state(version) for socket in self.sockets.of(player_id))

    async def _push(self) -> None:
        async with asyncio.TaskGroup() as reads:
            while True:
                await self._wake.wait()
                self._wake.clear()
                try:
                    await self._deliver_stored()
                except GameError as error:
                    log.warning("pushes wait", error=error.detail)
                    await asyncio.sleep(RETRY_SECONDS)
                    self._wake.set()
                    continue
                self._show_changed(reads)

    async def _deliver_stored(self) -> None:
        """Whoever is noted together with a notice is caught up after that is loaded, also if both come amid this."""
        while self._notices or self._stored:
            if self._notices:
                await self._load_notices()
                continue  # another one may have come meanwhile
            ids = _taken(self._stored, CHUNK)
            try:
                await self._deliver_to([(id_, socket) for id_ in ids for socket in self.sockets.of(id_)])
            except GameError:
                self._stored.update(ids)
                raise

    async def _load_notices(self) -> None:
        self._notices = False  # before the load: another notice may come during it
        try:
            await self.room.pushes.load_notices()
        except GameError:
            self._notices = True
            raise

    async def _deliver_to(self, sockets: Sequence[tuple[int, OpenSocket]]) -> None:
        streams = await self.room.pushes.catch_up([(player_id, socket.seen) for player_id, socket in sockets])
        for (_, socket), opened in zip(sockets, streams, strict=True):
            socket.push_stored(opened.stream, opened.missed)

    def _show_changed(self, reads: asyncio.TaskGroup) -> None:
        """Has each database's players read, by a task of its own: those of one that is silent hold up no others."""
        changed, self._changed = self._changed, set()
        for database, ids in self.players.by_database(changed).items():
            if (unread := self._unread.get(database)) is not None:
                unread.update(ids)
            else:
                self._unread[database] = set(ids)
                reads.create_task(self._show(database))

    async def _show(self, database: str) -> None:
        """Reads and shows players until none of this database is left, or connected."""
        unread = self._unread[database]
        while unread:
            ids = _taken(unread, CHUNK)
            try:
                players = await self.players.read(ids)
            except GameError as error:
                log.warning("pushes wait", database=database, error=error.detail)
                await asyncio.sleep(RETRY_SECONDS)
                unread.update(ids)
                unread.intersection_update(self.sockets.players())
                continue
            for player in players.values():
                for socket in self.sockets.of(player.id):
                    socket.push_state(player, shown_max_hp(player, self.rules.game))
        del self._unread[database]

    async def _push_ranks(self) -> None:
        while True:
            await asyncio.sleep(RANK_SECONDS)
            for board, subscribed in self.sockets.ranked().items():
                try:
                    await self._push_ranks_on(board, subscribed)
                except BoardNotFound:
                    continue  # the game has it no more, and may have it again
                except GameError as error:
                    log.warning("ranks wait", board=board, error=error.detail)

    async def _push_ranks_on(self, board: str, subscribed: Sequence[OpenSocket]) -> None:
        by_player: dict[int, list[OpenSocket]] = {}
        for socket in subscribed:
            if socket.session is not None:
                by_player.setdefault(socket.session.player_id, []).append(socket)
        for ids in _parts(by_player, CHUNK):
            page = (await boards.ranks(self.leaderboards, board, boards.CURRENT, ids)).page
            for standing in page.standings:
                for socket in by_player[standing.player_id]:
                    socket.push_rank(board, standing.rank, standing.score, page.total)


def _taken(waiting: set[int], most: int) -> list[int]:
    """Removes and returns up to `most` of the waiting; what is added meanwhile waits for the next call."""
    taken = list(islice(waiting, most))
    waiting.difference_update(taken)
    return taken


def _parts(ids: Iterable[int], size: int) -> Iterator[list[int]]:
    rest = iter(ids)
    while part := list(islice(rest, size)):
        yield part
