"""How often an address, a name or a player may sign up, sign in or change a password, counted over all nodes in Redis.

Law: an attempt counts against every limit that it falls under, or against none of them; one Lua call decides, by
Redis' own clock. A denied attempt has changed nothing. Retry-After is exact unless another client spends the allowance
first.

For that the limits of a kind share one hash tag, so on a Redis Cluster all sign-ins are counted on one of its servers.
A decision takes it some 10 µs, less than a thousandth of what hashing the password takes the nodes. Asking for address
and name one by one on servers of their own would spread that, but it would count attempts that are then denied, and
give a Retry-After that isn't true. A name is stored as the hash of its key, so that Redis doesn't list who signs in.
Keys expire when they have no effect any more.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from redis.asyncio import Redis

from gameserver.rules import names
from gameserver.rules.errors import SessionsUnavailable
from gameserver.rules.pacing import Pace, refusal
from gameserver.storage.redis.faults import translated
from gameserver.storage.redis.scripts import Script
from gameserver.telemetry import denied

AWAY = "Attempts can't be counted right now."


@dataclass(frozen=True, slots=True)
class AttemptPaces:
    """How often each may be tried, by all clients together that share the address or the name."""

    sign_ups_per_address: Pace
    sign_ins_per_address: Pace
    sign_ins_per_name: Pace
    password_changes_per_player: Pace


@dataclass(frozen=True, slots=True)
class _Limit:
    """A limit that an attempt falls under; `kind` is its name in the settings and the metrics."""

    kind: str
    key: str
    pace: Pace
    detail: str


class AttemptsSpendCall(NamedTuple):
    limits: Sequence[str]
    paces: Sequence[int]


class Attempts:
    """One per node. An `address` of None is a caller to whom these limits don't apply."""

    def __init__(self, redis: Redis, paces: AttemptPaces) -> None:
        self._spent, self._paces = Script(redis, __package__, "attempts_spend", AttemptsSpendCall), paces

    async def sign_up(self, address: str | None) -> None:
        """Counts a sign-up. Raises RateLimited, SessionsUnavailable."""
        if address is not None:
            pace, detail = self._paces.sign_ups_per_address, "Too many sign-ups from this address."
            await self._spend([_Limit("sign_ups_per_address", f"gs:limit:{{sign_up}}:address:{address}", pace, detail)])

    async def sign_in(self, address: str | None, name: str | None = None) -> None:
        """Counts a sign-in, by its name if it has one. Raises RateLimited, SessionsUnavailable."""
        if address is None:
            return
        pace, detail = self._paces.sign_ins_per_address, "Too many sign-ins from this address."
        limits = [_Limit("sign_ins_per_address", f"gs:limit:{{sign_in}}:address:{address}", pace, detail)]
        if name is not None:
            pace, detail = self._paces.sign_ins_per_name, "Too many sign-ins under this name."
            key = f"gs:limit:{{sign_in}}:name:{_hashed(name)}"
            limits.append(_Limit("sign_ins_per_name", key, pace, detail))
        await self._spend(limits)

    async def change_password(self, address: str | None, player_id: int) -> None:
        """Counts a change of a player's password, and a sign-in of its address, since it tries a password, too.

        Raises RateLimited, SessionsUnavailable.
        """
        if address is None:
            return
        pace, detail = self._paces.sign_ins_per_address, "Too many sign-ins from this address."
        per_player, often = self._paces.password_changes_per_player, "The password was changed too often."
        await self._spend(
            [
                _Limit("sign_ins_per_address", f"gs:limit:{{sign_in}}:address:{address}", pace, detail),
                _Limit("password_changes_per_player", f"gs:limit:{{sign_in}}:player:{player_id}", per_player, often),
            ]
        )

    async def _spend(self, limits: Sequence[_Limit]) -> None:
        paces = [number for limit in limits for number in (_microseconds(limit.pace), limit.pace.burst)]
        with translated(SessionsUnavailable, AWAY):
            denying, wait = await self._spent(AttemptsSpendCall(limits=[limit.key for limit in limits], paces=paces))
        if denying:
            limit = limits[denying - 1]
            denied(limit.kind).inc()
            raise refusal(limit.detail, wait * 1000)


def _microseconds(pace: Pace) -> int:
    return -(-pace.interval // 1000)


def _hashed(name: str) -> str:
    """The same for all names that have one key."""
    return hashlib.sha256(names.key_of(name).encode()).hexdigest()
