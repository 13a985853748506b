"""Argon2id in a few threads, with a bound on how many hashes may wait.

Parameters: 19 MiB, 2 passes, 1 lane (OWASP Password Storage Cheat Sheet).
"""

import asyncio
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from gameserver.rules.errors import Overloaded
from gameserver.rules.passwords import prepared

T = TypeVar("T")
THREADS = 2
LONGEST_QUEUE = 64


class Checked(NamedTuple):
    """Whether a password is right, and whether its hash is `outdated`: to be renewed while the password is known."""

    fits: bool
    outdated: bool = False


class Passwords:
    """One per node; to be closed."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="argon2")
        self._no_password = self._hasher.hash(secrets.token_urlsafe(16))
        self._waiting = 0

    async def hash(self, password: str) -> str:
        """The hash of a new password. Raises Overloaded."""
        return await self._run(lambda: self._hasher.hash(prepared(password)))

    async def verify(self, hashed: str | None, password: str) -> bool:
        """Whether the password is right; takes as long without a hash to compare with. Raises Overloaded."""
        return (await self.check(hashed, password)).fits

    async def check(self, hashed: str | None, password: str) -> Checked:
        """What `verify` says, and whether the hash should be renewed. Raises Overloaded."""

        def work() -> Checked:
            form, text = hashed or self._no_password, prepared(password)
            if self._matches(form, text):
                return Checked(hashed is not None, self._hasher.check_needs_rehash(form))
            # Earlier versions hashed what was typed.
            fits = text != password and self._matches(form, password) and hashed is not None
            return Checked(fits, outdated=fits)

        return await self._run(work)

    def _matches(self, hashed: str, password: str) -> bool:
        try:
            return self._hasher.verify(hashed, password.encode(errors="surrogatepass"))
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[[], T]) -> T:
        if self._waiting >= LONGEST_QUEUE:
            raise Overloaded("Too many sign-ins are waiting.", retry_after=1)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
