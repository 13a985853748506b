"""Argon2id in a few threads of the lowest priority, in fair turns by address.

Parameters: 19 MiB, 2 passes, 1 lane (OWASP Password Storage Cheat Sheet).

Law: all hashes together take at most the chosen share of the machine's cores: after each one its thread rests until
that holds. A network that tries passwords without end delays another one's by a hash or two, and play by what the
kernel leaves to threads of low priority. Whoever is refused has cost no hash.
"""

import asyncio
import base64
import contextlib
import ipaddress
import math
import os
import secrets
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import ARGON2_VERSION

from gameserver.commands.fair_turns import FairTurns, Source, TurnBounds
from gameserver.rules.passwords import prepared

T = TypeVar("T")
FEWEST_THREADS = 2
"""One network never has the last one."""
NICENESS = 10
"""Of the threads: what else wants a core gets about nine tenths of it."""
NETWORK_BITS = {4: 24, 6: 48}
"""A network whose addresses share a turn: what one customer of a provider can easily have."""


@dataclass(frozen=True, slots=True)
class HashingLimits:
    """A share of the machine's cores; and how many hashes may wait: of all, of a network, of an address; how long."""

    share: float
    waiting: int
    per_network: int
    per_address: int
    seconds: float


class Checked(NamedTuple):
    """Whether a password is right, and whether its hash is `outdated`: to be renewed while the password is known."""

    fits: bool
    outdated: bool = False


class Passwords:
    """One per node; to be closed. Callers without an `address`, such as a studio's back end, count as one network."""

    def __init__(self, limits: HashingLimits, cores: int | None = None) -> None:
        """`cores` are the machine's unless given."""
        wanted = limits.share * (cores or _cores())
        threads = max(FEWEST_THREADS, math.ceil(wanted))
        self._seconds_per_second = min(1.0, wanted / threads)
        """How much of the time each thread may work."""
        self._turns = FairTurns(
            TurnBounds(threads, limits.waiting, (limits.per_network, limits.per_address), limits.seconds)
        )
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="argon2", initializer=_give_way)
        self._no_password = _of_nobody(self._hasher)

    def require_place(self, address: str | None) -> None:
        """Raises Overloaded if as many as may already wait there: asked before anything is looked up."""
        self._turns.require_place(source_of(address))

    async def hash(self, password: str, address: str | None = None) -> str:
        """The hash of a new password. Raises Overloaded."""
        return await self._run(lambda: self._hasher.hash(prepared(password)), address)

    async def verify(self, hashed: str | None, password: str, address: str | None = None) -> bool:
        """Whether the password is right; takes as long without a hash to compare with. Raises Overloaded."""
        return (await self.check(hashed, password, address)).fits

    async def check(self, hashed: str | None, password: str, address: str | None = None) -> Checked:
        """What `verify` says, and whether the hash should be renewed. Raises Overloaded."""

        def work() -> Checked:
            form, text = hashed or self._no_password, prepared(password)
            if self._matches(form, text):
                return Checked(hashed is not None, self._hasher.check_needs_rehash(form))
            # Earlier versions hashed what was typed.
            fits = text != password and self._matches(form, password) and hashed is not None
            return Checked(fits, outdated=fits)

        return await self._run(work, address)

    def _matches(self, hashed: str, password: str) -> bool:
        try:
            return self._hasher.verify(hashed, password.encode(errors="surrogatepass"))
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[[], T], address: str | None) -> T:
        """The turn ends with the work and the rest after it, also when the caller has left."""
        source = source_of(address)
        await self._turns.take(source)
        loop = asyncio.get_running_loop()
        begun = loop.run_in_executor(self._threads, _timed, work)
        begun.add_done_callback(lambda done: loop.call_later(self._rest(done), self._turns.end, source))
        return (await asyncio.shield(begun)).result

    def _rest(self, done: "asyncio.Future[_Timed[Any]]") -> float:
        if done.cancelled() or done.exception() is not None:
            return 0.0
        timed = done.result()
        return max(0.0, timed.worked / self._seconds_per_second - timed.passed)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


@dataclass(frozen=True, slots=True)
class _Timed(Generic[T]):
    """What came of some work, and the seconds that it took of a core and of time."""

    result: T
    worked: float
    passed: float


def source_of(address: str | None) -> Source:
    """The network and the address, as turns are shared."""
    if address is None:
        return ("",)
    try:
        network = ipaddress.ip_network(address)
    except ValueError:
        return (address, address)
    bits = min(network.prefixlen, NETWORK_BITS[network.version])
    return (str(network.supernet(new_prefix=bits)), address)


def _timed(work: Callable[[], T]) -> "_Timed[T]":
    began, worked = time.monotonic(), time.thread_time()
    result = work()
    return _Timed(result, time.thread_time() - worked, time.monotonic() - began)


def _of_nobody(hasher: PasswordHasher) -> str:
    """An encoded hash of `hasher`'s parameters that no password has: it costs a check what a real one does."""
    salt, digest = (
        base64.b64encode(secrets.token_bytes(size)).rstrip(b"=").decode() for size in (hasher.salt_len, hasher.hash_len)
    )
    costs = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    return f"$argon2id$v={ARGON2_VERSION}${costs}${salt}${digest}"


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _give_way() -> None:
    """Lowers the priority of this thread, where a thread has one of its own."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
