"""Argon2id in a few threads, with a bound on how many hashes may wait.

Parameters: 19 MiB, 2 passes, 1 lane (OWASP Password Storage Cheat Sheet).
"""

import asyncio
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from gameserver.rules.errors import Overloaded

T = TypeVar("T")
THREADS = 2
LONGEST_QUEUE = 64


class Passwords:
    """One per node; to be closed."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="argon2")
        self._no_password = self._hasher.hash(secrets.token_urlsafe(16))
        self._waiting = 0

    async def hash(self, password: str) -> str:
        """The hash of a new password. Raises Overloaded."""
        return await self._run(lambda: self._hasher.hash(password))

    async def verify(self, hashed: str | None, password: str) -> bool:
        """Whether the password is right; takes as long without a hash to compare with. Raises Overloaded."""

        def work() -> bool:
            try:
                return self._hasher.verify(hashed or self._no_password, password) and hashed is not None
            except (VerificationError, InvalidHashError):
                return False

        return await self._run(work)

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
