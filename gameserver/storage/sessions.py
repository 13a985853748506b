"""Sessions in Redis, and this node's memory of those that it has checked.

Law: a revocation holds on every node within a second. A remembered session counts only while the last read of the
revocation stream is under a second old; otherwise Redis is asked. Only while Redis itself is away do sessions that
were checked before go on: the epoch under the lock of the write path still guards every write.
A token is `player_id.secret`; only its SHA-256 is stored.
"""

import asyncio
import hashlib
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from gameserver.rules.errors import NotAuthenticated, SessionRevoked, SessionsUnavailable
from gameserver.storage.ids import LARGEST_ID
from gameserver.storage.scripts import Script, translated
from gameserver.telemetry import SESSIONS_CACHED

log = structlog.get_logger()

REVOCATIONS = "gs:revocations"
REVOCATIONS_READ = 1000
STREAM_LENGTH = 10_000
READ_SECONDS = 0.25
FRESH_SECONDS = 1.0
RECHECK_SECONDS = 30.0
REMEMBERED = 200_000
AWAY = "Sessions can't be checked right now."


@dataclass(frozen=True, slots=True)
class Session:
    """A checked session. `name` is the hash of its token, in hexadecimal; `epoch` guards writes."""

    name: str
    player_id: int
    epoch: int
    opened_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Listed:
    name: str
    opened_at: datetime
    used_at: datetime
    expires_at: datetime


class Sessions:
    """One per node. `run` follows the revocations until it is cancelled."""

    def __init__(self, redis: Redis, stream: Redis, idle_seconds: int, longest_seconds: int, per_player: int) -> None:
        """`stream` is a client for the revocations alone, which mustn't wait behind anything else."""
        self._redis, self._stream = redis, stream
        self._idle_ms, self._longest_ms, self._per_player = (
            idle_seconds * 1000,
            longest_seconds * 1000,
            per_player,
        )
        self._open, self._touch = Script(redis, "session_open"), Script(redis, "session_touch")
        self._list = Script(redis, "session_list")
        self._revoke, self._revoke_all = Script(redis, "session_revoke"), Script(redis, "session_revoke_all")
        self._known: dict[str, tuple[Session, float]] = {}
        self._revoked: dict[str, float] = {}
        self._last_read = -FRESH_SECONDS
        self._away = False
        """Whether the last read of the revocations failed: Redis is away, or so slow that it might be."""

    async def open(self, player_id: int, epoch: int) -> tuple[str, Session]:
        """A new session and its token. Raises SessionsUnavailable."""
        token = f"{player_id}.{secrets.token_urlsafe(32)}"
        name, now = _name(token), int(time.time() * 1000)
        arguments = (now, self._idle_ms, self._longest_ms, self._per_player, name, _prefix(player_id), epoch)
        with translated(SessionsUnavailable, AWAY):
            gone = await self._open([_key(player_id, name), _index(player_id)], arguments)
            await self._announce(each.decode() for each in gone)
        expiry = now + min(self._idle_ms, self._longest_ms)
        return token, self._remember(Session(name, player_id, epoch, _time(now), _time(expiry)))

    def known(self, token: str) -> Session | None:
        """The session of a token that this node may trust without asking Redis."""
        found = self._known.get(_name(token))
        now = time.monotonic()
        if found is None:
            return None
        if not self._away and (now - self._last_read > FRESH_SECONDS or now - found[1] > RECHECK_SECONDS):
            return None
        return found[0] if found[0].expires_at.timestamp() > time.time() else None

    async def check(self, token: str) -> Session:
        """The session of a token. Raises NotAuthenticated, SessionsUnavailable."""
        return self.known(token) or await self._ask(token)

    async def _ask(self, token: str) -> Session:
        player_id, name = _owner(token), _name(token)
        try:
            now = int(time.time() * 1000)
            with translated(SessionsUnavailable, AWAY):
                found = await self._touch([_key(player_id, name)], (now, self._idle_ms))
        except SessionsUnavailable:
            if name in self._known:
                return self._known[name][0]
            raise
        if found is None:
            self._known.pop(name, None)
        if found is None or name in self._revoked:
            raise NotAuthenticated("The session token isn't valid (any more).")
        epoch, opened, expiry = map(int, found)
        return self._remember(Session(name, player_id, epoch, _time(opened), _time(expiry)))

    async def listed(self, player_id: int) -> list[Listed]:
        """A player's sessions, oldest first. Raises SessionsUnavailable."""
        with translated(SessionsUnavailable, AWAY):
            rows = await self._list([_index(player_id)], (_prefix(player_id),))
        return [Listed(row[0].decode(), _time(row[1]), _time(row[2]), _time(row[3])) for row in rows]

    async def revoke(self, session: Session) -> None:
        """Ends a session on every node within a second. Raises SessionsUnavailable."""
        with translated(SessionsUnavailable, AWAY):
            keys = [_key(session.player_id, session.name), _index(session.player_id)]
            await self._revoke(keys, (session.name,))
            await self._announce([session.name])

    async def revoke_all(self, player_id: int) -> None:
        """Ends all sessions of a player on every node within a second. Raises SessionsUnavailable."""
        with translated(SessionsUnavailable, AWAY):
            names = await self._revoke_all([_index(player_id)], (_prefix(player_id),))
            await self._announce(name.decode() for name in names)

    async def _announce(self, names: Any) -> None:
        for name in names:
            self._forget(name)
            await self._redis.xadd(REVOCATIONS, {"session": name}, maxlen=STREAM_LENGTH, approximate=True)

    async def run(self, on_revoked: Callable[[Sequence[str]], None]) -> None:
        """Reads the revocations every 250 ms; `on_revoked` gets the names of the sessions that ended."""
        SESSIONS_CACHED.set_function(lambda: len(self._known))
        last = await self._newest()
        while True:
            try:
                last = await self._read_revocations(last, on_revoked)
                self._away = False
            except (RedisError, OSError, TimeoutError) as error:
                self._away = True
                log.warning("revocations can't be read", error=f"{type(error).__name__}: {error}")
            self._prune()
            await asyncio.sleep(READ_SECONDS)

    async def _read_revocations(self, last: str, on_revoked: Callable[[Sequence[str]], None]) -> str:
        """Hears every revocation after `last`; the last one of all."""
        while True:
            started = time.monotonic()
            found: Any = await self._stream.xrange(REVOCATIONS, min=f"({last}", count=REVOCATIONS_READ)
            if found:
                last = found[-1][0].decode()
                names = [fields[b"session"].decode() for _, fields in found]
                for name in names:
                    self._forget(name)
                on_revoked(names)
            if len(found) < REVOCATIONS_READ:
                self._last_read = started
                return last

    async def _newest(self) -> str:
        """The stream's last entry: this node remembers nothing yet, so what came before can't concern it."""
        while True:
            try:
                newest: Any = await self._stream.xrevrange(REVOCATIONS, count=1)
                return str(newest[0][0].decode()) if newest else "0-0"
            except (RedisError, OSError, TimeoutError):
                await asyncio.sleep(READ_SECONDS)

    def _remember(self, session: Session) -> Session:
        if session.name in self._revoked:
            raise SessionRevoked("The session has ended.")
        self._known.pop(session.name, None)
        self._known[session.name] = (session, time.monotonic())
        if len(self._known) > REMEMBERED:
            del self._known[next(iter(self._known))]
        return session

    def _forget(self, name: str) -> None:
        self._known.pop(name, None)
        self._revoked.pop(name, None)
        self._revoked[name] = time.monotonic()

    def _prune(self) -> None:
        """Lets go of revocations so old that no check that began before them can still be under way."""
        old = time.monotonic() - RECHECK_SECONDS
        while self._revoked and next(iter(self._revoked.values())) < old:
            del self._revoked[next(iter(self._revoked))]


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
