"""What says that Redis is away, and where the driver's errors become the product's own."""

import structlog
from redis.exceptions import RedisError

from gameserver.rules.errors import GameError

log = structlog.get_logger()

LOST = (RedisError, OSError, TimeoutError)
"""Every way in which a call can fail to get an answer."""
LONGEST_ERROR = 200
"""Characters of an error in the log: a driver's may describe all of its connections."""


def described(error: BaseException) -> str:
    """An error for the log: its type and the beginning of its text."""
    return f"{type(error).__name__}: {error}"[:LONGEST_ERROR]


class translated:  # noqa: N801 - read as `with translated(...)`
    """Turns the driver's errors into `error`, with Retry-After.

    A class, since a generator's context manager costs several times as much, and sign-ins pass three.
    """

    __slots__ = ("_detail", "_error")

    def __init__(self, error: type[GameError], detail: str) -> None:
        self._error, self._detail = error, detail

    def __enter__(self) -> None:
        """Nothing is to be prepared."""

    def __exit__(self, _: object, fault: BaseException | None, __: object) -> None:
        if isinstance(fault, LOST):
            log.warning("redis unavailable", error=described(fault))
            raise self._error(self._detail, retry_after=1) from fault
