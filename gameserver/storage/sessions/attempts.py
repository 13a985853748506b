"""How often an address, a name or a player may sign up, sign in or change a password, counted over all nodes in Redis.

Law: an attempt that is admitted counts against every limit that it falls under. One that is denied counts against its
address alone, as long as that admits it: nobody spends what a name or a player has at other addresses. One Lua call
decides, by Redis' own clock. A denied attempt has changed nothing else. Retry-After is exact unless another client
spends the allowance first.

An address from which a name has signed in with its password keeps a place: the name's own limit, which all addresses
share, isn't asked there. So one who guesses from many addresses keeps a player out of new ones, but not of these.

For that the limits of a kind share one hash tag, so on a Redis Cluster all sign-ins are counted on one of its servers.
Attempts that come at about the same time are one call, so a decision takes it some 5 µs. Asking for address
and name one by one on servers of their own would spread that, but it would count attempts that are then denied, and
give a Retry-After that isn't true. A name is stored as the hash of its key, so that Redis doesn't list who signs in.
Keys expire when they have no effect any more.

The first sign-in by a device of an address at a node in a while, which is nearly every honest one, is counted with the
next one (first_attempts.py): so limits cost those who sign in once a day no call.

An address that was denied for its own limit is denied by this node until that wait is over, without asking again: the
answer would be the same, and one who goes on regardless costs Redis nothing. (If Redis forgets meanwhile, it waits for
these few seconds in vain.)
"""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

from redis.asyncio import Redis
from redis.exceptions import RedisError

from gameserver.coalescing import Coalescer
from gameserver.rules import names
from gameserver.rules.errors import SessionsUnavailable
from gameserver.rules.pacing import Pace, refusal
from gameserver.storage.redis import clients
from gameserver.storage.redis.coalescing import BOUNDS
from gameserver.storage.redis.faults import translated
from gameserver.storage.redis.scripts import Script
from gameserver.storage.sessions.first_attempts import FirstAttempts
from gameserver.telemetry import denied

MOST_KNOWN = 5
"""Addresses of a name that keep a place: those that were used last."""
KNOWN_SECONDS = 30 * 24 * 3600
KNOWN_AHEAD_SECONDS = 24 * 3600
"""What was used so much later than now wasn't: no node's clock is so wrong, and it would keep a place for ever."""
AWAY = "Attempts can't be counted right now."
MOST_DENIED = 10_000
"""Addresses that are known to be denied; when there are more, all are asked for again."""


@dataclass(frozen=True, slots=True)
class AttemptPaces:
    """How often each may be tried, by all clients together that share the address or the name."""

    sign_ups_per_address: Pace
    sign_ins_per_address: Pace
    sign_ins_per_name: Pace
    sign_ins_per_name_and_address: Pace
    password_changes_per_player: Pace


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of limit, under its name in the settings and the metrics, and what is said where it denies.

    `digit` is its place among the KINDS, from 1, by which the script tells them apart.
    """

    digit: str
    name: str
    detail: str
    counts_denied: bool = False
    """Whether attempts that another limit denies count, too."""
    of_address: bool = False
    """Whether nobody but the address falls under it."""


SIGN_UPS = _Kind("1", "sign_ups_per_address", "Too many sign-ups from this address.", of_address=True)
SIGN_INS = _Kind(
    "2", "sign_ins_per_address", "Too many sign-ins from this address.", counts_denied=True, of_address=True
)
OF_NAME = _Kind("3", "sign_ins_per_name", "Too many sign-ins under this name from new addresses.")
OF_PAIR = _Kind("4", "sign_ins_per_name_and_address", "Too many sign-ins under this name from this address.")
OF_PLAYER = _Kind("5", "password_changes_per_player", "The password was changed too often.")
KINDS = (SIGN_UPS, SIGN_INS, OF_NAME, OF_PAIR, OF_PLAYER)


ADMITTED = 0, 0
"""No limit denies the attempt, and there is nothing to wait for."""


class _Limits(NamedTuple):
    """The limits that an attempt falls under: the digits of their kinds, and their keys in the same order."""

    digits: str
    keys: tuple[str, ...]


class AttemptsSpendCall(NamedTuple):
    limits: Sequence[str]
    paces: str
    kinds: str


class Attempts:
    """One per node. An `address` of None is a caller to whom these limits don't apply."""

    def __init__(self, redis: Redis, paces: AttemptPaces) -> None:
        self._script = Script(redis, __package__, "attempts_spend", AttemptsSpendCall)
        of_kinds = [getattr(paces, kind.name) for kind in KINDS]
        self._paces = " ".join(
            f"{_microseconds(pace)} {pace.burst} {int(kind.counts_denied)}"
            for kind, pace in zip(KINDS, of_kinds, strict=True)
        )
        self._sign_up_calls, self._sign_in_calls = [Coalescer(self._spend_all, BOUNDS, RedisError) for _ in range(2)]
        self._redis = redis
        self._first = FirstAttempts(paces.sign_ins_per_address)
        self._denied_until: dict[str, int] = {}
        """By the key of an address's limit, in nanoseconds of the monotonic clock."""

    async def sign_up(self, address: str | None) -> None:
        """Counts a sign-up. Raises RateLimited, SessionsUnavailable."""
        if address is not None:
            key = f"gs:limit:{{sign_up}}:address:{address}"
            self._require_not_denied(SIGN_UPS, key)
            await self._spend(self._sign_up_calls, _Limits(SIGN_UPS.digit, (key,)))

    async def sign_in(self, address: str | None, name: str | None = None) -> None:
        """Counts a sign-in, by its name if it has one. Raises RateLimited, SessionsUnavailable."""
        if address is None:
            return
        key = _sign_ins(address)
        self._require_not_denied(SIGN_INS, key)
        if name is None and self._first.note(key):
            return
        limits = _Limits(SIGN_INS.digit, (key,))
        if name is not None:
            limits = await self._with_name(limits, address, _hashed(name))
        await self._spend_sign_in(limits)

    async def _with_name(self, limits: _Limits, address: str, hashed: str) -> _Limits:
        of_name = f"gs:limit:{{sign_in}}:name:{hashed}"
        digits, keys = limits.digits + OF_PAIR.digit, (*limits.keys, f"{of_name}:address:{address}")
        with translated(SessionsUnavailable, AWAY):
            known = await clients.send(self._redis, "ZSCORE", _known(hashed), address)
        return _Limits(digits, keys) if known is not None else _Limits(digits + OF_NAME.digit, (*keys, of_name))

    async def remember(self, address: str | None, name: str) -> None:
        """The name has signed in with its password from there. Raises SessionsUnavailable."""
        if address is None:
            return
        key, now = _known(_hashed(name)), time.time()
        commands = (
            ("ZREMRANGEBYSCORE", key, repr(now + KNOWN_AHEAD_SECONDS), "+inf"),
            ("ZADD", key, repr(now), address),
            ("ZREMRANGEBYRANK", key, 0, -MOST_KNOWN - 1),
            ("PEXPIRE", key, KNOWN_SECONDS * 1000),
        )
        with translated(SessionsUnavailable, AWAY):
            for answer in await clients.send_all(self._redis, commands):
                if isinstance(answer, Exception):
                    raise answer

    async def forget(self, name: str) -> int:
        """Forgets from where the name has signed in; how many keys. Raises SessionsUnavailable."""
        with translated(SessionsUnavailable, AWAY):
            return int(await clients.send(self._redis, "UNLINK", _known(_hashed(name))))

    async def change_password(self, address: str | None, allowance: int) -> None:
        """Counts a change of a player's password, and a sign-in of its address, since it tries a password, too.

        `allowance` is that of the session that asks.

        Raises RateLimited, SessionsUnavailable.
        """
        if address is None:
            return
        sign_ins = _sign_ins(address)
        self._require_not_denied(SIGN_INS, sign_ins)
        keys = sign_ins, f"gs:limit:{{sign_in}}:player:{allowance}"
        await self._spend_sign_in(_Limits(SIGN_INS.digit + OF_PLAYER.digit, keys))

    async def _spend_sign_in(self, limits: _Limits) -> None:
        """Counts it, and before it what its address still owes."""
        key = limits.keys[0]
        if self._first.take_uncounted(key):
            await self._spend(self._sign_in_calls, _Limits(SIGN_INS.digit, (key,)))
        await self._spend(self._sign_in_calls, limits)

    async def _spend(self, calls: Coalescer[_Limits, tuple[int, int]], limits: _Limits) -> None:
        with translated(SessionsUnavailable, AWAY):
            denying, wait = await calls.ask(limits)
        if denying:
            kind = KINDS[int(limits.digits[denying - 1]) - 1]
            if kind.of_address:
                self._remember_denied(limits.keys[denying - 1], wait * 1000)
            denied(kind.name).inc()
            raise refusal(kind.detail, wait * 1000)

    async def _spend_all(self, attempts: Sequence[_Limits]) -> Sequence[tuple[int, int]]:
        """The number of the limit that denies each attempt, 0 for none, and the µs to wait. Raises RedisError."""
        digits, of_each = zip(*attempts, strict=True)
        keys, kinds = [*chain.from_iterable(of_each)], " ".join(digits)
        denied_ones = await self._script(AttemptsSpendCall(keys, self._paces, kinds))
        found = [ADMITTED] * len(attempts)
        for attempt, denying, wait in zip(*[iter(denied_ones)] * 3, strict=True):
            found[attempt - 1] = denying, wait
        return found

    def _remember_denied(self, key: str, wait: int) -> None:
        """`wait` is in nanoseconds."""
        if len(self._denied_until) >= MOST_DENIED:
            self._denied_until.clear()
        self._denied_until[key] = time.monotonic_ns() + wait

    def _require_not_denied(self, kind: _Kind, key: str) -> None:
        """Raises RateLimited for an address that Redis has denied, until the wait that it gave is over."""
        if (until := self._denied_until.get(key)) is None:
            return
        if (wait := until - time.monotonic_ns()) > 0:
            denied(kind.name).inc()
            raise refusal(kind.detail, wait)
        del self._denied_until[key]


def _sign_ins(address: str) -> str:
    """The key of the sign-ins of an address."""
    return f"gs:limit:{{sign_in}}:address:{address}"


def _known(hashed: str) -> str:
    """The key of the addresses from which a name has signed in, each with when it did last, in seconds since 1970."""
    return f"gs:known:{{{hashed}}}"


def _microseconds(pace: Pace) -> int:
    return -(-pace.interval // 1000)


def _hashed(name: str) -> str:
    """The same for all names that have one key."""
    return hashlib.sha256(names.key_of(name).encode()).hexdigest()
