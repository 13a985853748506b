"""Operators' keys and the console's sessions, in the control database.

Law: only hashes are stored: who reads the database, or a backup of it, can't use a key. A key has 256 random bits, so
one round of SHA-256 is enough, and it says its id, so that it is compared with one hash, in constant time.
Every node knows the keys as they were FRESH_SECONDS ago: one that is revoked opens nothing any more after that. One
that a node doesn't know is refused only after a look that began after the request: another node may just have made it.
All that wait share that look, which comes once in PAUSE_SECONDS at the most, however many keys are made up. While the
control database is silent, a node goes on with what it knows for STALE_SECONDS.
Keys are changed under one lock, one after another: so what a change looks at first still holds when it is made.
"""

import asyncio
import contextlib
import hashlib
import hmac
import secrets
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from gameserver.rules.errors import Conflict, DatabaseUnavailable, NotFound, Unavailable
from gameserver.rules.roles import Role
from gameserver.storage.postgres import statements
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.locks import CHANGING_KEYS

SQL = statements.load(__package__, "admin_keys.sql")
T = TypeVar("T")
FRESH_SECONDS, STALE_SECONDS, PAUSE_SECONDS = 1.0, 30.0, 0.1
LOOK_SECONDS = 1.5
"""How long a request waits for the control database before the node goes on with what it knows."""
MOST_CURRENT, MOST_LISTED = 500, 1000
"""How many names may have a key, which every node keeps in memory, and how many keys a list has."""
SILENT = "Admin keys can't be checked: the control database doesn't answer."
KEY, SESSION = "hlk", "hls"
"""How keys and sessions begin, so that they can be told apart, and found where they were published by mistake."""


class AdminKey(NamedTuple):
    """A key without its secret; one that was rotated out goes on until `expires_at`."""

    id: str
    name: str
    role: Role
    made_at: datetime
    made_by: str
    expires_at: datetime | None
    state: Literal["holds", "expired", "rotated_out", "revoked"]
    needs_code: bool
    """Whether it opens nothing but sessions of the console, with a one-time password."""
    signed_in_at: datetime | None = None
    """When it last opened a session of the console, of those that are still stored; only `listed` tells."""


class NewKey(NamedTuple):
    """What a key is to be: `days` until it expires, or None; `totp` the secret of its one-time passwords, if any."""

    name: str
    role: Role
    days: int | None = None
    totp: str | None = None


class KnownKey(NamedTuple):
    """A key that opens the door; the id is empty for one of the settings."""

    id: str
    name: str
    role: Role
    hash: str
    totp: str | None = None
    """The secret of its one-time passwords, if it needs them."""


class _Session(NamedTuple):
    hash: str
    key: str
    name: str
    fingerprint: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class _Known:
    """What was read at `at`, of a clock that never goes back."""

    at: float
    keys: Mapping[str, KnownKey] = field(default_factory=dict)
    sessions: Mapping[str, _Session] = field(default_factory=dict)


def hash_of(secret: str) -> str:
    """What is stored of a key or a session, in hexadecimal."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()


class AdminKeys:
    """One per process. Every method raises DatabaseUnavailable; those that change something, OutcomeUnknown."""

    def __init__(self, control: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._control, self._clock = control, clock
        self._known = _Known(-STALE_SECONDS)
        self._tried = -FRESH_SECONDS
        self._lock = asyncio.Lock()

    async def make(self, new: NewKey, by: str, command_id: str | None = None) -> tuple[AdminKey, str]:
        """A new key and its secret, which nobody can read again.

        Raises Conflict if the name has a key, if there are too many, or if the same command has made one before.
        """
        key_id, secret = _new(command_id)
        arguments = (key_id, new.name, new.role.value, hash_of(secret), by, new.days, new.totp)
        async with self._alone() as connection:
            made = await _made(connection, key_id, new.name)
            if made.name:
                raise Conflict(f"There is a key of the name {new.name}: rotate it, or revoke it first.")
            if made.count >= MOST_CURRENT:
                raise Conflict(f"There are {MOST_CURRENT} keys: revoke one that nobody needs.")
            rows = (await connection.exec_driver_sql(SQL["make"], arguments)).fetchall()
        return _key(rows[0]), secret

    async def rotate(self, name: str, by: str, seconds: float, command_id: str | None = None) -> tuple[AdminKey, str]:
        """A new key of the same role; the old one goes on for so long.

        Raises NotFound, and Conflict if the same command has made a key before.
        """
        key_id, secret = _new(command_id)
        arguments = (key_id, name, hash_of(secret), by, seconds)
        async with self._alone() as connection:
            await _made(connection, key_id, name)
            rows = (await connection.exec_driver_sql(SQL["rotate"], arguments)).fetchall()
            if not rows:
                raise NotFound(f"No key has the name {name}.")
        return _key(rows[0]), secret

    async def revoke(self, name: str, *, operators_elsewhere: bool = True, with_codes: bool = False) -> int:
        """Ends all keys of this name, and with them their sessions; how many, none if they have ended.

        Raises NotFound if no key has ever had the name.

        Raises Conflict if no operator's key would be left; `operators_elsewhere` says that the settings have one, and
        `with_codes` that only those with one-time passwords count.
        """
        async with self._alone() as connection:
            last = (name, with_codes)
            if not operators_elsewhere and (await connection.exec_driver_sql(SQL["last"], last)).fetchall():
                raise Conflict(f"{name} has the last operator's key: rotate it, or make another one first.")
            rows = (await connection.exec_driver_sql(SQL["revoke"], (name,))).fetchall()
            if not rows and not (await connection.exec_driver_sql(SQL["named"], (name,))).fetchall():
                raise NotFound(f"No key has the name {name}.")
        return len(rows)

    async def listed(self) -> list[AdminKey]:
        """Every key that wasn't rotated out or revoked, and the newest of the others, MOST_LISTED in all, by name."""
        return [_key(row) for row in await self._control.ask(SQL["listed"], MOST_LISTED)]

    async def without_codes(self, roles: Collection[Role]) -> list[tuple[str, Role]]:
        """The names of the keys of these roles that hold without one-time passwords, and their roles."""
        rows = await self._control.ask(SQL["without_codes"], [role.value for role in roles])
        return [(name, Role(role)) for name, role in rows]

    async def spend_code(self, key: KnownKey, step: int) -> bool:
        """Whether the one-time password of this half minute hasn't been used; from now on it has."""
        async with self._alone() as connection:
            return bool((await connection.exec_driver_sql(SQL["spend"], (key.id, step))).fetchall())

    async def open_session(self, key: KnownKey, seconds: float) -> tuple[str, datetime]:
        """A new session of the console, and when it ends."""
        secret = f"{SESSION}_{secrets.token_urlsafe(32)}"
        arguments = (hash_of(secret), key.id, key.name, key.hash, seconds)
        ((expires_at,),) = await self._control.ask(SQL["open"], *arguments)
        self._forget()
        return secret, expires_at

    async def close_session(self, secret: str) -> None:
        """Ends a session; nothing happens if it has ended."""
        await self._control.ask(SQL["close"], hash_of(secret))
        self._forget()

    async def holder(self, secret: str) -> KnownKey | None:
        """The key that this is; None if it is none that holds."""
        prefix, _, rest = secret.partition("_")
        if prefix != KEY:
            return None
        key_id = rest.partition("_")[0]
        known = await self._having(lambda known: known.keys.get(key_id))
        return known if known is not None and hmac.compare_digest(known.hash, hash_of(secret)) else None

    async def session_key(self, secret: str, settings: Mapping[str, KnownKey]) -> tuple[KnownKey, datetime] | None:
        """The key of a session that holds, and when it ends; `settings` are the keys of the settings by name."""
        if not secret.startswith(f"{SESSION}_"):
            return None
        hashed = hash_of(secret)
        session = await self._having(lambda known: known.sessions.get(hashed))
        if session is None:
            return None
        key = self._known.keys.get(session.key) if session.key else settings.get(session.name)
        if key is None or not hmac.compare_digest(key.hash, session.fingerprint):
            return None
        return key, session.expires_at

    async def _having(self, find: Callable[[_Known], T | None]) -> T | None:
        """What `find` finds of what is known; None if a look since this call had none. Raises DatabaseUnavailable."""
        began = self._clock()
        if (found := find(await self._look())) is None and self._known.at <= began:
            await asyncio.sleep(max(self._known.at, self._tried) + PAUSE_SECONDS - self._clock())
            await self._refresh(began)
            if (found := find(self._known)) is None and self._known.at <= began:
                raise DatabaseUnavailable(SILENT)
        return found

    async def _look(self) -> _Known:
        """The keys and sessions, read now unless they are fresh. Raises DatabaseUnavailable if they are stale."""
        if (now := self._clock()) - self._known.at >= FRESH_SECONDS:
            await self._refresh(now - FRESH_SECONDS)
        if self._clock() - self._known.at >= STALE_SECONDS:
            raise DatabaseUnavailable(SILENT)
        return self._known

    async def _refresh(self, since: float) -> None:
        """Reads them, unless somebody has, or has tried to, `since` then."""
        async with self._lock:
            if max(self._known.at, self._tried) <= since:
                await self._read()

    async def _read(self) -> None:
        """Reads them, the sessions first: of what is known of a session, its key is known, too."""
        self._tried = began = self._clock()
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                sessions = await self._control.ask(SQL["sessions"])
                keys = await self._control.ask(SQL["known"])
        except (Unavailable, TimeoutError):
            return
        self._known = _Known(began, _by_id(keys), {row.hash: _Session(*row) for row in sessions})

    @contextlib.asynccontextmanager
    async def _alone(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that changes keys, while nobody else does."""
        try:
            async with self._control.transaction() as connection:
                await connection.exec_driver_sql(SQL["alone"], (CHANGING_KEYS,))
                yield connection
        finally:
            self._forget()

    def _forget(self) -> None:
        """This node sees what it has changed at once."""
        read = min(self._known.at, self._clock() - FRESH_SECONDS)
        self._known = _Known(read, self._known.keys, self._known.sessions)
        self._tried = -FRESH_SECONDS


async def _made(connection: AsyncConnection, key_id: str, name: str) -> Any:
    """Whether the name has a key, and how many names have one. Raises Conflict if there is a key of this id."""
    made = (await connection.exec_driver_sql(SQL["made"], (key_id, name))).one()
    if made.id:
        raise Conflict(
            "This command has made its key before, which was shown then: rotate that one, or, if it has one-time "
            "passwords, revoke it and make another."
        )
    return made


def _new(command_id: str | None) -> tuple[str, str]:
    """An id and a secret that says it. A command has one id, so that it makes one key, however often it is sent."""
    key_id = secrets.token_hex(6) if command_id is None else hashlib.sha256(command_id.encode()).hexdigest()[:12]
    return key_id, f"{KEY}_{key_id}_{secrets.token_urlsafe(32)}"


def _by_id(rows: Sequence[Any]) -> dict[str, KnownKey]:
    return {row.id: KnownKey(row.id, row.name, Role(row.role), row.hash, row.totp) for row in rows}


def _key(row: Sequence[object]) -> AdminKey:
    key = AdminKey(*row)  # type: ignore[arg-type]
    return key._replace(role=Role(key.role))
