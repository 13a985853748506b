"""Typed calls of the Lua scripts: one file a script, one function a call, names instead of indices.

A call tries the script's hash and sends the text when the server doesn't know it, so no cache is assumed warm.
"""

import contextlib
from collections.abc import Iterator, Sequence
from hashlib import sha1
from importlib.resources import files
from typing import Any

import structlog
from pydantic import SecretStr
from redis.asyncio import Redis
from redis.exceptions import NoScriptError, RedisError

from gameserver.config import redis_url
from gameserver.config.redis_url import RedisAccess
from gameserver.rules.errors import GameError
from gameserver.storage.redis import clients

log = structlog.get_logger()

NO_ACCESS = RedisAccess()
LONGEST_ERROR = 200
"""Characters of an error in the log: a driver's may describe all of its connections."""
Argument = str | bytes | int


class Script:
    """One script on one server."""

    def __init__(self, redis: Redis, package: str, name: str) -> None:
        self._redis = redis
        self._text = files(package).joinpath("lua", f"{name}.lua").read_text("utf-8")
        self._hash = sha1(self._text.encode(), usedforsecurity=False).hexdigest()

    async def __call__(self, keys: Sequence[str], arguments: Sequence[Argument]) -> Any:
        """What the script returns. Raises RedisError."""
        try:
            return await self._redis.evalsha(self._hash, len(keys), *keys, *arguments)
        except NoScriptError:
            return await self._redis.eval(self._text, len(keys), *keys, *arguments)

    async def many(self, calls: Sequence[tuple[Sequence[str], Sequence[Argument]]]) -> list[Any]:
        """What each call returns, all sent in one write. Raises RedisError."""
        pipeline = self._redis.pipeline(transaction=False)
        for keys, arguments in calls:
            # A raw command: in a cluster's pipeline the driver has no evalsha, though each node would take its part.
            pipeline.execute_command("EVALSHA", self._hash, len(keys), *keys, *arguments)
        async with clients.in_time():
            answers = await pipeline.execute(raise_on_error=False)
        for number, answer in enumerate(answers):
            if isinstance(answer, NoScriptError):
                answers[number] = await self(*calls[number])
            elif isinstance(answer, Exception):
                raise answer
        return list(answers)


@contextlib.contextmanager
def translated(error: type[GameError], detail: str) -> Iterator[None]:
    """Turns the driver's errors into `error`, with Retry-After."""
    try:
        yield
    except (RedisError, OSError, TimeoutError) as fault:
        log.warning("redis unavailable", error=f"{type(fault).__name__}: {fault}"[:LONGEST_ERROR])
        raise error(detail, retry_after=1) from fault


def connect(url: SecretStr, access: RedisAccess = NO_ACCESS) -> Redis:
    """A client of its own connections, whose every wait has a deadline. Raises ValueError, ConfigFault."""
    return clients.client_of(redis_url.parse(url), access)
