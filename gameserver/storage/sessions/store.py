"""Sessions as Redis has them: a hash for each, and an index of each player's. Every call raises RedisError.

Law: a session is there as long as its hash; the index may name some that have expired. A hash that lacks a field, or
holds something else in one, counts as gone, and is deleted. The times of a Session are of
the node's clock, since they are compared with it; Redis, whose clock may be another, says how long ago and how soon
they are.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from redis.asyncio import Redis
from redis.exceptions import RedisError

from gameserver.coalescing import Bounds, Coalescer
from gameserver.storage.redis import clients
from gameserver.storage.redis.coalescing import BOUNDS, CoalescedScript
from gameserver.storage.redis.scripts import Script
from gameserver.storage.redis.unreadable import reading
from gameserver.storage.sessions.memory import Session
from gameserver.storage.sessions.revocations import EndedSession

BAR_SECONDS = 60
"""How long sessions of earlier epochs are barred from being opened, once others of the player were ended."""
AT_A_TIME = 500
"""Sessions deleted by one command, at the most."""
SHOWN = 16
"""Digits of a session's name that its owner knows it by."""


@dataclass(frozen=True, slots=True)
class Origin:
    """How a session was opened: the name its client gave, at most 64 characters, its address, and what proved it."""

    label: str = ""
    address: str = ""
    by_password: bool = False


UNKNOWN = Origin()


@dataclass(frozen=True, slots=True)
class Listed:
    """A session as its owner sees it."""

    name: str
    opened_at: datetime
    used_at: datetime
    expires_at: datetime
    origin: Origin
    epoch: int

    @property
    def id(self) -> str:
        return self.name[:SHOWN]


class SessionOpenCall(NamedTuple):
    session: str
    sessions: str
    bar: str
    idle_ms: int
    longest_ms: int
    per_player: int
    name: str
    prefix: str
    epoch: int
    label: str
    address: str
    by_password: int


class SessionBarCall(NamedTuple):
    bar: str
    sessions: str
    epoch: int
    bar_ms: int


class SessionTouchCall(NamedTuple):
    session: str
    idle_ms: int


WRITABLE = "gs:sessions:writable"
ONE_WRITE = Bounds(flights=1, together=10_000, waiting=10_000, seconds=5.0)


class SessionListCall(NamedTuple):
    sessions: str
    prefix: str


class SessionStore:
    """One per node. `lifetimes` are those of an idle session and of any, in seconds; `clock` gives Unix seconds."""

    def __init__(self, redis: Redis, lifetimes: tuple[int, int], per_player: int, clock: Callable[[], float]) -> None:
        self._redis, self._clock = redis, clock
        self._idle_ms, self._longest_ms = (seconds * 1000 for seconds in lifetimes)
        self._per_player = per_player
        self._open = CoalescedScript(Script(redis, __package__, "session_open", SessionOpenCall))
        self._bar = Script(redis, __package__, "session_bar", SessionBarCall)
        self._touch = Script(redis, __package__, "session_touch", SessionTouchCall)
        self._list = CoalescedScript(Script(redis, __package__, "session_list", SessionListCall))
        self._deletions: Coalescer[tuple[int, Sequence[str]], None] = Coalescer(self._delete, BOUNDS, RedisError)
        self._writable: Coalescer[None, None] = Coalescer(self._write, ONE_WRITE, RedisError)

    async def require_writable(self) -> None:
        """Writes something, once for all who ask meanwhile: a Redis that is read-only or full answers reads alone."""
        await self._writable.ask(None)

    async def _write(self, askers: Sequence[None]) -> Sequence[None]:
        await clients.send(self._redis, "SET", WRITABLE, 1, "PX", 1000)
        return askers

    async def open(self, player_id: int, name: str, epoch: int, origin: Origin) -> tuple[Session, list[str]] | None:
        """A new session, and the names of the player's oldest, which are too many now and have to be ended.

        None if the epoch is barred.
        """
        call = SessionOpenCall(
            session=_prefix(player_id) + name,
            sessions=_index(player_id),
            bar=_bar(player_id),
            idle_ms=self._idle_ms,
            longest_ms=self._longest_ms,
            per_player=self._per_player,
            name=name,
            prefix=_prefix(player_id),
            epoch=epoch,
            label=origin.label,
            address=origin.address,
            by_password=int(origin.by_password),
        )
        over = await self._open(call)
        if over is None:
            return None
        row = (epoch, 0, min(self._idle_ms, self._longest_ms), self._longest_ms, origin.by_password)
        return self._session(player_id, name, row), [other.decode() for other in over]

    async def touch(self, player_id: int, name: str) -> Session | None:
        """A session, whose expiry slides; None if there is no such session (any more)."""
        row = await self._touch(self._touch_call(player_id, name))
        return None if row is None else self._session(player_id, name, row)

    def _session(self, player_id: int, name: str, row: Sequence[int]) -> Session:
        """`row` is what `session_touch` returns."""
        epoch, age, to_expiry, to_end, by_password = row
        now = self._clock() * 1000
        times = (_time(now - age), _time(now + to_expiry), _time(now + to_end))
        return Session(name, player_id, epoch, *times, by_password=bool(by_password))

    async def missing(self, sessions: Sequence[Session]) -> list[str]:
        """The names of those that aren't there any more; the expiry of the others slides."""
        rows = await self._touch.many([self._touch_call(session.player_id, session.name) for session in sessions])
        return [session.name for session, row in zip(sessions, rows, strict=True) if row is None]

    def _touch_call(self, player_id: int, name: str) -> SessionTouchCall:
        return SessionTouchCall(session=_prefix(player_id) + name, idle_ms=self._idle_ms)

    async def listed(self, player_id: int) -> list[Listed]:
        """A player's sessions, oldest first."""
        rows = await self._list(SessionListCall(sessions=_index(player_id), prefix=_prefix(player_id)))
        with reading(_index(player_id)):
            return [_listed(row) for row in rows]

    async def bar(self, player_id: int, epoch: int) -> list[str]:
        """Bars sessions of earlier epochs from being opened for BAR_SECONDS.

        The names of the player's sessions, also of some that have gone.
        """
        call = SessionBarCall(_bar(player_id), _index(player_id), epoch, BAR_SECONDS * 1000)
        return [name.decode() for name in await self._bar(call)]

    async def delete(self, player_id: int, names: Sequence[str]) -> None:
        """Deletes a player's sessions."""
        await self._deletions.ask((player_id, names))

    def delete_soon(self, player_id: int, names: Sequence[str]) -> None:
        """The same, behind the caller's back, for sessions that were announced: all nodes delete these, too."""
        with contextlib.suppress(RedisError):
            self._deletions.ask((player_id, names)).add_done_callback(_retrieve)

    async def _delete(self, deletions: Sequence[tuple[int, Sequence[str]]]) -> Sequence[Exception | None]:
        """Deletes sessions of some players."""
        commands: list[tuple[Any, ...]] = []
        for player_id, names in deletions:
            prefix = _prefix(player_id)
            commands += ("UNLINK", *(prefix + name for name in names)), ("ZREM", _index(player_id), *names)
        answers = await clients.send_all(self._redis, commands)
        pairs = zip(answers[::2], answers[1::2], strict=True)
        return [next((each for each in pair if isinstance(each, Exception)), None) for pair in pairs]

    async def delete_all(self, ended: Sequence[EndedSession]) -> None:
        """Deletes announced sessions, most of which are gone: whoever announced them has deleted them, if it lived."""
        for first in range(0, len(ended), AT_A_TIME):
            part = ended[first : first + AT_A_TIME]
            async with clients.in_time():
                left = await self._redis.unlink(*(_prefix(session.player_id) + session.name for session in part))
            if left:
                await self._delete([(session.player_id, [session.name]) for session in part])


def _listed(row: Sequence[Any]) -> Listed:
    name, epoch, opened, used, expiry, label, address = row
    origin = Origin(label.decode(errors="replace"), address.decode(errors="replace"))
    return Listed(name.decode(), _time(opened), _time(used), _time(expiry), origin, epoch)


def _prefix(player_id: int) -> str:
    return f"gs:session:{{{player_id}}}:"


def _index(player_id: int) -> str:
    return f"gs:sessions:{{{player_id}}}"


def _bar(player_id: int) -> str:
    return f"gs:session-bar:{{{player_id}}}"


def _time(milliseconds: float) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _retrieve(deletion: asyncio.Future[None]) -> None:
    """An error that nobody waits for isn't reported."""
    if not deletion.cancelled():
        deletion.exception()
