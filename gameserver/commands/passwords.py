"""Argon2id in a few processes of low priority, in fair turns by address.

Parameters: 19 MiB, 2 passes, 1 lane (OWASP Password Storage Cheat Sheet).

Law: all hashes together take at most the chosen share of the machine's cores: after each one its process rests until
that holds. A network that tries passwords without end delays another one's by a hash or two, and play by what the
kernel leaves to processes of low priority; after each wrong password its next turn comes later, twice as late for each
of the last four, unless a network that guesses less would wait for it. Whoever is refused has cost no hash. A process
that ends is replaced by another one; only when that ends, too, somebody is answered Overloaded.
"""

import asyncio
import base64
import ipaddress
import math
import os
import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

import structlog
from argon2.low_level import ARGON2_VERSION

from gameserver.commands.fair_turns import FairTurns, Source, TurnBounds
from gameserver.commands.guesses import Guesses
from gameserver.commands.hashing_process import HASHER, HashingProcess, HashingStopped
from gameserver.rules.errors import Overloaded
from gameserver.rules.passwords import prepared

log = structlog.get_logger()

T = TypeVar("T")
FEWEST = 2
"""Processes: one network never has the last one."""
ATTEMPTS = 2
OF_NO_ADDRESS: Source = ("",)
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
        processes = max(FEWEST, math.ceil(wanted))
        self._seconds_per_second = min(1.0, wanted / processes)
        """How much of the time each process may work."""
        self._turns = FairTurns(
            TurnBounds(processes, limits.waiting, (limits.per_network, limits.per_address), limits.seconds)
        )
        self._processes = [HashingProcess() for _ in range(processes)]
        self._idle = self._processes.copy()
        """The one that worked last is asked first, so those that nobody needs aren't begun."""
        self._guesses = Guesses()
        self._resting: dict[_Rest, asyncio.TimerHandle] = {}
        """Turns that last longer for a wrong password, and what ends them."""
        self._threads = ThreadPoolExecutor(processes, thread_name_prefix="argon2")
        self._no_password = _of_nobody()
        self._closed = False

    def require_place(self, address: str | None) -> None:
        """Raises Overloaded if as many as may already wait there: asked before anything is looked up."""
        self._turns.require_place(source_of(address))

    async def hash(self, password: str, address: str | None = None) -> str:
        """The hash of a new password. Raises Overloaded."""
        text = prepared(password).encode(errors="surrogatepass")
        return await self._run(lambda process: process.hash(text), address)

    async def verify(self, hashed: str | None, password: str, address: str | None = None) -> bool:
        """Whether the password is right; takes as long without a hash to compare with. Raises Overloaded."""
        return (await self.check(hashed, password, address)).fits

    async def check(self, hashed: str | None, password: str, address: str | None = None) -> Checked:
        """What `verify` says, and whether the hash should be renewed. Raises Overloaded."""

        form = hashed or self._no_password
        text, typed = (each.encode(errors="surrogatepass") for each in (prepared(password), password))

        def work(process: HashingProcess) -> Checked:
            if process.matches(form, text):
                return Checked(hashed is not None, HASHER.check_needs_rehash(form))
            # Earlier versions hashed what was typed.
            fits = text != typed and process.matches(form, typed) and hashed is not None
            return Checked(fits, outdated=fits)

        return await self._run(work, address, form)

    async def _run(self, work: Callable[[HashingProcess], T], address: str | None, hashed: str = "") -> T:
        """The turn ends with the work and the rest after it, also when the caller has left."""
        source, loop = source_of(address), asyncio.get_running_loop()
        loop.call_soon(self._make_room, source)  # as soon as it waits
        await self._turns.take(source)
        if self._closed:
            raise Overloaded("The node is stopping.", retry_after=1)
        begun = loop.run_in_executor(self._threads, self._timed, work)
        begun.add_done_callback(lambda done: loop.call_later(self._rest(done), self._rested, source, hashed, done))
        return (await asyncio.shield(begun)).result

    def _rested(self, source: Source, hashed: str, done: "asyncio.Future[_Timed[Any]]") -> None:
        """Ends the turn; that of a wrong password only a while later, unless a network that guesses less waits."""
        timed = None if done.cancelled() or done.exception() is not None else done.result()
        if timed is None or timed.was_wrong is None or source == OF_NO_ADDRESS:
            self._turns.end(source)
            return
        self._guesses.note(source, hashed, wrong=timed.was_wrong)
        present = self._guesses.of(source)
        if not timed.was_wrong or any(self._guesses.of(other) < present for other in self._turns.waiting()):
            self._turns.end(source)
            return
        more = (2**present - 1) * timed.worked / self._seconds_per_second
        rest = _Rest(source)
        self._resting[rest] = asyncio.get_running_loop().call_later(more, self._end_rest, rest)

    def _make_room(self, source: Source) -> None:
        """Ends a turn that only lasts for a wrong password if this one waits, and its network guesses less."""
        most = max(self._resting, key=lambda rest: self._guesses.of(rest.source), default=None)
        if most and self._guesses.of(source) < self._guesses.of(most.source) and source in self._turns.waiting():
            self._end_rest(most)

    def _end_rest(self, rest: "_Rest") -> None:
        self._resting.pop(rest).cancel()
        self._turns.end(rest.source)

    def _rest(self, done: "asyncio.Future[_Timed[Any]]") -> float:
        if done.cancelled() or done.exception() is not None:
            return 0.0
        timed = done.result()
        return max(0.0, timed.worked / self._seconds_per_second - timed.passed)

    def _timed(self, work: Callable[[HashingProcess], T]) -> "_Timed[T]":
        """In a thread, with a process that has nothing else to do. Raises Overloaded."""
        process = self._idle.pop()
        began, worked = time.monotonic(), process.worked
        try:
            result = self._insisted(process, work)
        finally:
            self._idle.append(process)
        was_wrong = not result.fits if isinstance(result, Checked) else None
        return _Timed(result, process.worked - worked, time.monotonic() - began, was_wrong)

    def _insisted(self, process: HashingProcess, work: Callable[[HashingProcess], T]) -> T:
        """Once more with a new process if the first one ends. Raises Overloaded if that ends, too."""
        for _ in range(ATTEMPTS):
            try:
                return work(process)
            except HashingStopped as error:
                if self._closed:
                    break
                log.warning("a process that hashes passwords has ended", error=str(error))
        raise Overloaded("Passwords can't be checked at present.", retry_after=1)

    def close(self) -> None:
        """Ends the processes, and what is asked of them."""
        self._closed = True
        for process in self._processes:
            process.interrupt()
        self._threads.shutdown(cancel_futures=True)
        for process in self._processes:
            process.close()


@dataclass(frozen=True, eq=False, slots=True)
class _Rest:
    """What is left of one turn after a wrong password; a source may have several."""

    source: Source


@dataclass(frozen=True, slots=True)
class _Timed(Generic[T]):
    """What came of some work, and the seconds that it took of a core and of time; whether a password was wrong, if one
    was checked."""

    result: T
    worked: float
    passed: float
    was_wrong: bool | None


def source_of(address: str | None) -> Source:
    """The network and the address, as turns are shared."""
    if address is None:
        return OF_NO_ADDRESS
    try:
        network = ipaddress.ip_network(address)
    except ValueError:
        return (address, address)
    bits = min(network.prefixlen, NETWORK_BITS[network.version])
    return (str(network.supernet(new_prefix=bits)), address)


def _of_nobody() -> str:
    """An encoded hash that no password has: it costs a check what a real one does."""
    salt, digest = (
        base64.b64encode(secrets.token_bytes(size)).rstrip(b"=").decode() for size in (HASHER.salt_len, HASHER.hash_len)
    )
    costs = f"m={HASHER.memory_cost},t={HASHER.time_cost},p={HASHER.parallelism}"
    return f"$argon2id$v={ARGON2_VERSION}${costs}${salt}${digest}"


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
