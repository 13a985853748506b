"""What says that Redis is away, and where the driver's errors become the product's own."""

import contextlib
from collections.abc import Iterator

import structlog
from redis.exceptions import RedisError

from gameserver.rules.errors import GameError

log = structlog.get_logger()

LOST = (RedisError, OSError, TimeoutError, RuntimeError)
"""Every way in which a call can fail to get an answer: uvloop raises RuntimeError for a write to a closed transport."""
LONGEST_ERROR = 200
"""Characters of an error in the log: a driver's may describe all of its connections."""


def described(error: BaseException) -> str:
    """An error for the log: its type and the beginning of its text."""
    return f"{type(error).__name__}: {error}"[:LONGEST_ERROR]


@contextlib.contextmanager
def translated(error: type[GameError], detail: str) -> Iterator[None]:
    """Turns the driver's errors into `error`, with Retry-After."""
    try:
        yield
    except LOST as fault:
        log.warning("redis unavailable", error=described(fault))
        raise error(detail, retry_after=1) from fault
