"""Sessions in Redis, and this node's memory of those that it has checked.

Law: a revocation holds on every node within a second. A remembered session counts only while the last read of the
revocations is under a second old; otherwise Redis is asked. What Redis says of a session counts only if its epoch is
the player's in Postgres, so nothing that a changed password, a ban or revoke-all ended comes back with an old dump.
While Redis itself is away, sessions that were checked before go on, their epochs are still looked at every 30 s, and
the epoch under the lock of the write path guards every write.
A token is `player_id.secret` with 256 random bits. It is looked up by its SHA-256, which alone is stored, so neither
Redis nor the time that a look-up takes tells anything of it.
"""

import asyncio
import hashlib
import secrets
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol

import structlog
from redis.asyncio import Redis

from gameserver.rules.errors import NotAuthenticated, SessionNotFound, SessionRevoked, SessionsUnavailable, Unavailable
from gameserver.storage.ids import LARGEST_ID
from gameserver.storage.redis.faults import LOST, described, translated
from gameserver.storage.redis.scripts import Script
from gameserver.storage.sessions.memory import RECHECK_SECONDS, Memory, Session
from gameserver.storage.sessions.revocations import Ended, Revocations

__all__ = ["UNKNOWN", "Listed", "Origin", "Session", "Sessions"]

log = structlog.get_logger()

READ_SECONDS = 0.25
AT_A_TIME = 500
DELETED_AGAIN = 1000
"""Sessions that a node deletes again after Redis was away: a replica in its place may lack the last moments."""
SHOWN = 16
"""Digits of a session's name that its owner knows it by."""
AWAY = "Sessions can't be checked right now."
Epochs = Callable[[Iterable[int]], Awaitable[Mapping[int, int]]]
"""The epochs of players who exist, below which their sessions have ended. Raises Unavailable."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a session was opened: what the client calls itself, at most 64 characters, and its address."""

    label: str = ""
    address: str = ""


UNKNOWN = Origin()


@dataclass(frozen=True, slots=True)
class Listed:
    """A session as its owner sees it."""

    name: str
    opened_at: datetime
    used_at: datetime
    expires_at: datetime
    origin: Origin

    @property
    def id(self) -> str:
        return self.name[:SHOWN]


class Holders(Protocol):
    """Those who hold sessions open on this node: its sockets."""

    def sessions(self) -> Sequence[Session]: ...
    def end_sessions(self, names: Sequence[str]) -> None: ...


class OpenCall(NamedTuple):
    session: str
    sessions: str
    idle_ms: int
    longest_ms: int
    per_player: int
    name: str
    prefix: str
    epoch: int
    label: str
    address: str


class TouchCall(NamedTuple):
    session: str
    idle_ms: int


class ListCall(NamedTuple):
    sessions: str
    prefix: str


class RevokeCall(NamedTuple):
    sessions: str
    prefix: str
    names: Sequence[str]


class Sessions:
    """One per node. `run` follows the revocations until it is cancelled."""

    def __init__(
        self, redis: Redis, stream: Redis, epochs: Epochs, lifetimes: tuple[int, int], per_player: int
    ) -> None:
        """`stream` is for the revocations alone; `lifetimes` are those of idle and of any sessions, in seconds."""
        self._redis, self._epochs = redis, epochs
        self._revocations = Revocations(redis, stream)
        self._idle_ms, self._longest_ms = (seconds * 1000 for seconds in lifetimes)
        self._per_player = per_player
        self._open = Script(redis, __package__, "session_open", OpenCall)
        self._touch = Script(redis, __package__, "session_touch", TouchCall)
        self._list = Script(redis, __package__, "session_list", ListCall)
        self._revoke = Script(redis, __package__, "session_revoke", RevokeCall)
        self._memory = Memory(lifetimes[0])
        self._to_delete: list[Ended] = []
        self._deleted: deque[Ended] = deque(maxlen=DELETED_AGAIN)
        self._unsure = False
        """Whether revocations were missed, and the sessions that sockets hold have to be checked again."""

    async def open(self, player_id: int, epoch: int, origin: Origin) -> tuple[str, Session]:
        """A new session and its token; the player's oldest end if he has too many.

        Raises SessionRevoked when the epoch is over by the time that it is there, SessionsUnavailable,
        DatabaseUnavailable, Overloaded.
        """
        token = f"{player_id}.{secrets.token_urlsafe(32)}"
        name = _name(token)
        call = OpenCall(
            session=_key(player_id, name),
            sessions=_index(player_id),
            idle_ms=self._idle_ms,
            longest_ms=self._longest_ms,
            per_player=self._per_player,
            name=name,
            prefix=_prefix(player_id),
            epoch=epoch,
            label=origin.label,
            address=origin.address,
        )
        with translated(SessionsUnavailable, AWAY):
            now, over = await self._open(call)
        await self._end(player_id, [each.decode() for each in over])
        expiry = now + min(self._idle_ms, self._longest_ms)
        session = Session(name, player_id, epoch, _time(now), _time(expiry), _time(now + self._longest_ms))
        if not await self._is_current(session):
            await self._discard(session)
            raise SessionRevoked("The session has ended.")
        return token, self._memory.keep(session)

    def known(self, token: str) -> Session | None:
        """The session of a token that this node may trust without asking anybody."""
        return self._memory.trusted(_name(token))

    async def check(self, token: str) -> Session:
        """The session of a token. Raises NotAuthenticated, SessionsUnavailable, DatabaseUnavailable, Overloaded."""
        return self.known(token) or await self._ask(token)

    async def _ask(self, token: str) -> Session:
        player_id, name = _owner(token), _name(token)
        earlier = self._memory.last(name)
        session = await self._found(player_id, name, earlier)
        if session is None or self._memory.has_ended(name):
            self._memory.drop(name)
            raise NotAuthenticated("The session token isn't valid (any more).")
        try:
            current = await self._is_current(session)
        except Unavailable:
            if earlier is None:
                raise
            current = True
        if not current:
            await self._discard(session)
            raise SessionRevoked("The session has ended.")
        return self._memory.keep(session)

    async def _found(self, player_id: int, name: str, earlier: Session | None) -> Session | None:
        """What Redis has; while it is away, what this node knew. Raises SessionsUnavailable."""
        if earlier is not None and self._memory.away:
            return earlier
        try:
            with translated(SessionsUnavailable, AWAY):
                row = await self._touch(TouchCall(session=_key(player_id, name), idle_ms=self._idle_ms))
        except SessionsUnavailable:
            if earlier is None:
                raise
            return earlier
        return None if row is None else _session(player_id, name, row)

    async def _is_current(self, session: Session) -> bool:
        epoch = (await self._epochs([session.player_id])).get(session.player_id)
        return epoch is not None and session.epoch >= epoch

    async def _discard(self, session: Session) -> None:
        """Ends a session that Postgres knows to have ended."""
        self._memory.end([session.name])
        try:
            await self._end(session.player_id, [session.name])
        except SessionsUnavailable:
            log.info("an ended session stays in Redis for now", player=session.player_id)

    async def listed(self, player_id: int, epoch: int = 0) -> list[Listed]:
        """A player's sessions, oldest first, without those of earlier epochs. Raises SessionsUnavailable."""
        with translated(SessionsUnavailable, AWAY):
            rows = await self._list(ListCall(sessions=_index(player_id), prefix=_prefix(player_id)))
        return [_listed(row) for row in rows if row[1] >= epoch]

    async def revoke(self, session: Session) -> None:
        """Ends a session on every node within a second. Raises SessionsUnavailable."""
        await self._end(session.player_id, [session.name])

    async def revoke_listed(self, session: Session, listed_id: str) -> None:
        """Ends another session of the same player. Raises SessionNotFound, SessionsUnavailable."""
        names = [each.name for each in await self.listed(session.player_id) if each.id == listed_id]
        if not names:
            raise SessionNotFound("You have no such session.")
        await self._end(session.player_id, names)

    async def revoke_all(self, player_id: int) -> None:
        """Ends all sessions of a player on every node within a second. Raises SessionsUnavailable."""
        with translated(SessionsUnavailable, AWAY):
            names: Any = await self._redis.zrange(_index(player_id), 0, -1)
        await self._end(player_id, [name.decode() for name in names])

    async def _end(self, player_id: int, names: Sequence[str]) -> None:
        if not names:
            return
        with translated(SessionsUnavailable, AWAY):
            await self._revocations.announce(player_id, names)
            self._memory.end(names)
            await self._revoke(RevokeCall(sessions=_index(player_id), prefix=_prefix(player_id), names=names))

    async def run(self, holders: Holders) -> None:
        """Ends those sessions that `holders` have open, as they are revoked, and as Postgres says every 30 s."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow(holders))
            group.create_task(self._look_for_ever(holders))

    async def _follow(self, holders: Holders) -> None:
        """Reads the revocations every 250 ms."""
        while True:
            try:
                await self._hear(holders)
                if self._memory.away:
                    self._to_delete += self._deleted  # what came back may not have heard of it
                    self._memory.away = False
                await self._delete()
                await self._recheck(holders)
            except LOST as error:
                self._memory.away = True
                log.warning("revocations can't be read", error=described(error))
            except Unavailable as error:
                log.warning("sessions can't be checked anew", error=error.detail)
            await asyncio.sleep(READ_SECONDS)

    async def _hear(self, holders: Holders) -> None:
        more = True
        while more:
            started = time.monotonic()
            heard = await self._revocations.read()
            if heard.gap:
                log.info("all sessions are checked anew", remembered=len(self._memory))
                self._memory.clear()
                self._unsure = True
            names = [each.name for each in heard.ended]
            self._memory.end(names)
            holders.end_sessions(names)
            self._to_delete += heard.ended
            more = heard.more
        self._memory.heard(started)

    async def _delete(self) -> None:
        """What has ended; who announced it did so already, if he lived."""
        calls = [RevokeCall(_index(each.player_id), _prefix(each.player_id), [each.name]) for each in self._to_delete]
        if calls:
            await self._revoke.many(calls)
            self._deleted.extend(self._to_delete)
            self._to_delete.clear()

    async def _recheck(self, holders: Holders) -> None:
        """Ends the held sessions that aren't any more, after a gap."""
        if self._unsure:
            held = list(holders.sessions())
            for first in range(0, len(held), AT_A_TIME):
                holders.end_sessions(await self._over(held[first : first + AT_A_TIME]))
            self._unsure = False

    async def _look_for_ever(self, holders: Holders) -> None:
        """Ends the held sessions whose time or epoch is over, also while Redis is away and nothing is heard of it."""
        while True:
            await asyncio.sleep(RECHECK_SECONDS)
            held, now = list(holders.sessions()), datetime.now(UTC)
            holders.end_sessions([each.name for each in held if each.ends_at < now])
            for first in range(0, len(held), AT_A_TIME):
                try:
                    over = await self._outdated(held[first : first + AT_A_TIME])
                except Unavailable as error:
                    log.warning("epochs can't be looked at", error=error.detail)
                    continue
                self._memory.end(over)
                holders.end_sessions(over)

    async def _outdated(self, held: Sequence[Session]) -> list[str]:
        """The names of those whose epoch is over."""
        epochs = await self._epochs({each.player_id for each in held})
        return [each.name for each in held if each.epoch < epochs.get(each.player_id, each.epoch + 1)]

    async def _over(self, held: Sequence[Session]) -> list[str]:
        """The names of those that have ended."""
        rows = await self._touch.many([TouchCall(_key(each.player_id, each.name), self._idle_ms) for each in held])
        gone = [each.name for each, row in zip(held, rows, strict=True) if row is None]
        return [*gone, *await self._outdated(held)]


def _session(player_id: int, name: str, row: Sequence[int]) -> Session:
    epoch, opened, expiry, end = row
    return Session(name, player_id, epoch, _time(opened), _time(expiry), _time(end))


def _listed(row: Sequence[Any]) -> Listed:
    name, _, opened, used, expiry, label, address = row
    origin = Origin(label.decode(), address.decode())
    return Listed(name.decode(), _time(opened), _time(used), _time(expiry), origin)


def identify(token: str) -> tuple[int, str]:
    """Whose session a token is of, and its name, whether there is such a session or not. Raises NotAuthenticated."""
    return _owner(token), _name(token)


def _owner(token: str) -> int:
    digits, _, secret = token.partition(".")
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= 19 and secret) or int(digits) > LARGEST_ID:
        raise NotAuthenticated("The session token isn't valid.")
    return int(digits)


def _name(token: str) -> str:
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()


def _prefix(player_id: int) -> str:
    return f"gs:session:{{{player_id}}}:"


def _key(player_id: int, name: str) -> str:
    return _prefix(player_id) + name


def _index(player_id: int) -> str:
    return f"gs:sessions:{{{player_id}}}"


def _time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
