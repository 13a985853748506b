"""Who is connected where: every node tells Redis its players under a lease, so a node that dies leaves no ghosts.

Law: a player's node is known before the player's state is read for it, and changes are announced after they are
visible. So a connected player misses no change, except while Redis is away; after that, everything is sent and read
again. A node that was frozen past its lease finds its players gone, and sends them all again. After an answer that came
too late only what isn't sure is sent again, and players who joined meanwhile are read again.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson
import structlog
from redis.asyncio import Redis

from gameserver.rules.errors import Overloaded, PresenceUnavailable
from gameserver.storage.redis import clients
from gameserver.storage.redis.faults import LOST, described, translated
from gameserver.storage.redis.objects import fields_of
from gameserver.storage.redis.scripts import Script

log = structlog.get_logger()

NODES = "gs:{presence}:nodes"
PLAYERS, DESCRIPTION = "gs:{presence}:players:", "gs:{presence}:node:"
CHANNEL, EVERYWHERE = "gs:live:", "gs:live"
LEASE_SECONDS = 6.0
BEAT_SECONDS = 0.25
RENEW_SECONDS = 2.0
HEAR_SECONDS = 1.0
DESCRIBED = frozenset(("name", "address", "started_at", "sockets"))
"""What a node says of itself."""
SCANNED = 2000
"""Players that are read from Redis at a time."""
ANY_VERSION = 1 << 62
"""Later than each version of a player."""
AWAY = "Who is connected isn't known right now."
CHANGED, KEPT, NOTICE = b"v", b"k", b"n"
"""How messages begin: players whose version rose, players for whom a push was stored, a notice to all."""


@dataclass(frozen=True, slots=True)
class LiveNode:
    """A live node; `here` are those of the players asked for who are connected to it."""

    name: str
    address: str
    started_at: str
    sockets: int
    players: int
    here: Sequence[int]


@dataclass(frozen=True, slots=True)
class Message:
    """What a node receives: `kind` is CHANGED, KEPT or NOTICE; a version or the number of a push, by player id."""

    kind: bytes
    numbers: dict[int, int]


class PresenceBeatCall(NamedTuple):
    nodes: str
    players: str
    description: str
    name: str
    lease_ms: int
    described: bytes
    before: int
    total: int
    came: str
    left: str


class PresenceLeaveCall(NamedTuple):
    nodes: str
    players: str
    description: str
    name: str


class PresenceNodesCall(NamedTuple):
    nodes: str
    players_prefix: str
    description_prefix: str
    ids: str


class PresenceAnnounceCall(NamedTuple):
    nodes: str
    players_prefix: str
    channel_prefix: str
    kind: bytes
    ids: str
    numbers: str


class Presence:
    """One per node. `beat` and `hear` run until they are cancelled."""

    def __init__(self, redis: Redis, name: str, address: str, started_at: str) -> None:
        """`name` is for people; the key has a random suffix, so a restarted node isn't mistaken for its predecessor."""
        self.name = name
        self._redis = redis
        self._key = f"{name}~{secrets.token_hex(4)}"
        self._described = {"name": name, "address": address, "started_at": started_at}
        self._beat = Script(redis, __package__, "presence_beat", PresenceBeatCall)
        self._leave = Script(redis, __package__, "presence_leave", PresenceLeaveCall)
        self._nodes = Script(redis, __package__, "presence_nodes", PresenceNodesCall)
        self._announce = Script(redis, __package__, "presence_announce", PresenceAnnounceCall)
        self._sent: set[int] = set()
        self._unsure: set[int] = set()
        """Players whom calls whose answers were lost may have added or removed, or may yet."""
        self._last = self._beats = 0
        """The numbers of the last beat that was answered (0: the next one sends everything), and of the last one."""
        self._between_beats = asyncio.Event()
        self._between_beats.set()
        self._gap = False
        """Whether Redis may have lost players of this node, so that changes of theirs weren't announced."""
        self._late: set[int] = set()
        """Players of whom Redis may not have heard before their states were read."""
        self._missed: set[int] = set()
        """Those of them of whom it has heard now."""

    async def join(self, player_id: int) -> bool:
        """Adds one player at once; False when Redis is away, and `beat` makes up for it.

        It waits for a beat that is under way, which might remove the player again.
        """
        await self._between_beats.wait()
        try:
            key = PLAYERS + self._key
            expiry = ("PEXPIRE", key, int(LEASE_SECONDS * 1000))  # it may be a new key
            added, _ = await clients.send_all(self._redis, [("SADD", key, player_id), expiry])
            is_lost = isinstance(added, Exception)
        except LOST:
            is_lost = True
        if is_lost or player_id in self._unsure:
            self._late.add(player_id)
            self._unsure.add(player_id)
        else:
            self._sent.add(player_id)
        return not is_lost

    async def beat(self, players: Callable[[], Iterable[int]], sockets: Callable[[], int]) -> None:
        """Sends who comes and goes, and renews the lease."""
        loop = asyncio.get_running_loop()
        renewed, counted = -RENEW_SECONDS, 0
        try:
            while True:
                now, count = set(players()), sockets()
                if (now, count) != (self._sent, counted) or loop.time() - renewed >= RENEW_SECONDS:
                    self._between_beats.clear()
                    try:
                        renewed = loop.time() if await self._update(now, players, count) else -RENEW_SECONDS
                        counted = count
                    finally:
                        self._between_beats.set()
                await asyncio.sleep(BEAT_SECONDS)
        finally:
            await self._sign_off()

    async def _update(self, now: set[int], players: Callable[[], Iterable[int]], sockets: int) -> bool:
        try:
            if not (self._last and await self._send(now, sockets, self._last)):
                self._last = 0
                now = set(players())
                await self._send(now, sockets)
                if self._beats > 1:
                    self._gap = True
                    log.info("all connected players sent again", players=len(now))
        except LOST as error:
            log.warning("presence can't be sent", error=described(error))
            self._unsure |= self._sent ^ now
            return False
        self._missed |= self._late & now
        self._late.clear()
        self._unsure.clear()
        self._sent = now
        return True

    async def _send(self, now: set[int], sockets: int, before: int = 0) -> bool:
        """Sends what has changed since the beat `before`, and what isn't sure since then; or everything."""
        self._beats += 1
        described = orjson.dumps({**self._described, "sockets": sockets, "beat": self._beats})
        call = PresenceBeatCall(
            nodes=NODES,
            players=PLAYERS + self._key,
            description=DESCRIPTION + self._key,
            name=self._key,
            lease_ms=int(LEASE_SECONDS * 1000),
            described=described,
            before=before,
            total=len(now),
            came=_list(now - (self._sent - self._unsure) if before else now),
            left=_list((self._sent | self._unsure) - now if before else ()),
        )
        is_right = bool(await self._beat(call))
        self._last = self._beats if is_right else 0
        return is_right

    async def _sign_off(self) -> None:
        try:
            await self._leave(PresenceLeaveCall(NODES, PLAYERS + self._key, DESCRIPTION + self._key, self._key))
        except LOST:
            log.info("the lease will end by itself")

    async def hear(self) -> AsyncIterator[Message | None]:
        """Messages for this node's players, as they come. None at the start and after each gap.

        Raises PresenceUnavailable.
        """
        with translated(PresenceUnavailable, AWAY):
            async for message in self._messages():
                yield message

    async def _messages(self) -> AsyncIterator[Message | None]:
        async with self._redis.pubsub(ignore_subscribe_messages=True) as channel:
            await channel.subscribe(EVERYWHERE, CHANNEL + self._key)
            yield None
            while True:
                received: Any = await channel.get_message(timeout=HEAR_SECONDS)
                if received is not None:
                    yield _message(received["data"])
                if self._gap:
                    self._gap = False
                    yield None
                if self._missed:
                    missed, self._missed = self._missed, set()
                    yield Message(CHANGED, dict.fromkeys(missed, ANY_VERSION))
                    yield Message(KEPT, dict.fromkeys(missed, 0))

    async def nodes(self, players: Sequence[int] = ()) -> list[LiveNode]:
        """The live nodes, and where the players asked for are connected. Raises PresenceUnavailable."""
        with translated(PresenceUnavailable, AWAY):
            rows = await self._nodes(PresenceNodesCall(NODES, PLAYERS, DESCRIPTION, _list(players)))
        described = [(fields_of(description), *row) for _, description, *row in rows]
        return [_live_node(*row) for row in described if _is_described(row[0])]

    async def online(self, most: int) -> list[int]:
        """The players that are connected to any node, `most` at the most. Raises PresenceUnavailable, Overloaded."""
        found: set[int] = set()
        with translated(PresenceUnavailable, AWAY):
            for name in await clients.send(self._redis, "ZRANGE", NODES, 0, -1):
                async for members in self._scanned(PLAYERS.encode() + name):
                    found.update(members)
                    if len(found) > most:
                        raise Overloaded(f"More than {most:,} players are connected: too many for this question.")
        return sorted(found)

    async def _scanned(self, key: bytes) -> AsyncIterator[list[int]]:
        """The players of a node, a part at a time."""
        cursor = 0
        while True:
            after, members = await clients.send(self._redis, "SSCAN", key, cursor, "COUNT", SCANNED)
            yield [int(member) for member in members if member.isdigit()]
            if not (cursor := int(after)):
                return

    async def announce(self, kind: bytes, numbers: Sequence[tuple[int, int]]) -> int:
        """Tells the nodes what has changed for players connected to them; how many those are.

        Raises PresenceUnavailable.
        """
        if not numbers:
            return 0
        ids, values = _list(player_id for player_id, _ in numbers), _list(number for _, number in numbers)
        with translated(PresenceUnavailable, AWAY):
            return int(await self._announce(PresenceAnnounceCall(NODES, PLAYERS, CHANNEL, kind, ids, values)))


def _list(numbers: Iterable[int]) -> str:
    return ",".join(map(str, numbers))


def _message(data: bytes) -> Message | None:
    """What no node has sent is taken for a gap."""
    pairs = (pair.split(b":") for pair in data[1:].split(b",") if pair)
    try:
        return Message(data[:1], {int(player_id): int(number) for player_id, number in pairs})
    except ValueError:
        return None


def _is_described(fields: Mapping[str, Any]) -> bool:
    texts = DESCRIBED - {"sockets"}
    return isinstance(fields.get("sockets"), int) and all(isinstance(fields.get(name), str) for name in texts)


def _live_node(described: Mapping[str, Any], players: int, here: Sequence[bytes]) -> LiveNode:
    own = {name: described[name] for name in DESCRIBED}
    return LiveNode(**own, players=players, here=[int(player_id) for player_id in here])
