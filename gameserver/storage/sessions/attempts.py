"""How often an address, a name or a player may sign up, sign in or change a password, counted over all nodes in Redis.

Law: an attempt that is admitted counts against every limit that it falls under. One that is denied counts against its
address alone, as long as that admits it: nobody spends what a name or a player has at other addresses. One Lua call
decides, by Redis' own clock. A denied attempt has changed nothing else. Retry-After is exact unless another client
spends the allowance first.

An address from which a name has signed in with its password keeps a place: the name's own limit, which all addresses
share, isn't asked there. So one who guesses from many addresses keeps a player out of new ones, but not of these.

For that the limits of a kind share one hash tag, so on a Redis Cluster all sign-ins are counted on one of its servers.
A decision takes it some 10 µs, less than a thousandth of what hashing the password takes the nodes. Asking for address
and name one by one on servers of their own would spread that, but it would count attempts that are then denied, and
give a Retry-After that isn't true. A name is stored as the hash of its key, so that Redis doesn't list who signs in.
Keys expire when they have no effect any more.

An address that was denied for its own limit is denied by this node until that wait is over, without asking again: the
answer would be the same, and one who goes on regardless costs Redis nothing. (If Redis forgets meanwhile, it waits for
these few seconds in vain.)
"""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from redis.asyncio import Redis

from gameserver.rules import names
from gameserver.rules.errors import SessionsUnavailable
from gameserver.rules.pacing import Pace, refusal
from gameserver.storage.redis import clients
from gameserver.storage.redis.coalescing import CoalescedScript
from gameserver.storage.redis.faults import translated
from gameserver.storage.redis.scripts import Script
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
class _Limit:
    """A limit that an attempt falls under; `kind` is its name in the settings and the metrics."""

    kind: str
    key: str
    pace: Pace
    detail: str
    counts_denied: bool = False
    """Whether attempts that another limit denies count, too."""
    of_address: bool = False
    """Whether nobody but the address falls under it."""


class AttemptsSpendCall(NamedTuple):
    limits: Sequence[str]
    paces: Sequence[int]


class Attempts:
    """One per node. An `address` of None is a caller to whom these limits don't apply."""

    def __init__(self, redis: Redis, paces: AttemptPaces) -> None:
        spend = Script(redis, __package__, "attempts_spend", AttemptsSpendCall)
        self._spent, self._paces = CoalescedScript(spend), paces
        self._redis = redis
        self._denied_until: dict[str, int] = {}
        """By the key of an address's limit, in nanoseconds of the monotonic clock."""

    async def sign_up(self, address: str | None) -> None:
        """Counts a sign-up. Raises RateLimited, SessionsUnavailable."""
        if address is not None:
            pace, detail = self._paces.sign_ups_per_address, "Too many sign-ups from this address."
            key = f"gs:limit:{{sign_up}}:address:{address}"
            limit = _Limit("sign_ups_per_address", key, pace, detail, of_address=True)
            self._require_not_denied(limit)
            await self._spend([limit])

    async def sign_in(self, address: str | None, name: str | None = None) -> None:
        """Counts a sign-in, by its name if it has one. Raises RateLimited, SessionsUnavailable."""
        if address is None:
            return
        limits = [self._sign_ins(address)]
        self._require_not_denied(limits[0])
        if name is not None:
            limits += await self._sign_ins_by_name(address, _hashed(name))
        await self._spend(limits)

    def _sign_ins(self, address: str) -> _Limit:
        pace, detail = self._paces.sign_ins_per_address, "Too many sign-ins from this address."
        key = f"gs:limit:{{sign_in}}:address:{address}"
        return _Limit("sign_ins_per_address", key, pace, detail, counts_denied=True, of_address=True)

    async def _sign_ins_by_name(self, address: str, hashed: str) -> list[_Limit]:
        pace, detail = self._paces.sign_ins_per_name_and_address, "Too many sign-ins under this name from this address."
        key = f"gs:limit:{{sign_in}}:name:{hashed}:address:{address}"
        limits = [_Limit("sign_ins_per_name_and_address", key, pace, detail)]
        with translated(SessionsUnavailable, AWAY):
            known = await clients.send(self._redis, "ZSCORE", _known(hashed), address)
        if known is None:
            pace, detail = self._paces.sign_ins_per_name, "Too many sign-ins under this name from new addresses."
            key = f"gs:limit:{{sign_in}}:name:{hashed}"
            limits.append(_Limit("sign_ins_per_name", key, pace, detail))
        return limits

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

    async def change_password(self, address: str | None, allowance: int) -> None:
        """Counts a change of a player's password, and a sign-in of its address, since it tries a password, too.

        `allowance` is that of the session that asks.

        Raises RateLimited, SessionsUnavailable.
        """
        if address is None:
            return
        pace, detail = self._paces.password_changes_per_player, "The password was changed too often."
        key = f"gs:limit:{{sign_in}}:player:{allowance}"
        changes, sign_ins = _Limit("password_changes_per_player", key, pace, detail), self._sign_ins(address)
        self._require_not_denied(sign_ins)
        await self._spend([sign_ins, changes])

    async def _spend(self, limits: Sequence[_Limit]) -> None:
        paces = [
            number
            for limit in limits
            for number in (_microseconds(limit.pace), limit.pace.burst, int(limit.counts_denied))
        ]
        with translated(SessionsUnavailable, AWAY):
            denying, wait = await self._spent(AttemptsSpendCall(limits=[limit.key for limit in limits], paces=paces))
        if denying:
            limit = limits[denying - 1]
            if limit.of_address:
                self._remember_denied(limit.key, wait * 1000)
            denied(limit.kind).inc()
            raise refusal(limit.detail, wait * 1000)

    def _remember_denied(self, key: str, wait: int) -> None:
        """`wait` is in nanoseconds."""
        if len(self._denied_until) >= MOST_DENIED:
            self._denied_until.clear()
        self._denied_until[key] = time.monotonic_ns() + wait

    def _require_not_denied(self, limit: _Limit) -> None:
        """Raises RateLimited for an address that Redis has denied, until the wait that it gave is over."""
        if (until := self._denied_until.get(limit.key)) is None:
            return
        if (wait := until - time.monotonic_ns()) > 0:
            denied(limit.kind).inc()
            raise refusal(limit.detail, wait)
        del self._denied_until[limit.key]


def _known(hashed: str) -> str:
    """The key of the addresses from which a name has signed in, each with when it did last, in seconds since 1970."""
    return f"gs:known:{{{hashed}}}"


def _microseconds(pace: Pace) -> int:
    return -(-pace.interval // 1000)


def _hashed(name: str) -> str:
    """The same for all names that have one key."""
    return hashlib.sha256(names.key_of(name).encode()).hexdigest()
