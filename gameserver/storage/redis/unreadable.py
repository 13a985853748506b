"""Keys of the right type that don't hold what the product writes there: such a key counts as lost, too.

Law: what reads an answer of Redis does so under `reading`, so whatever can't be read is a RedisError: at the worst it
is answered as if Redis were away, and ends no task. The room that knows the key deletes it, and goes on as if it had
never been there. A script that fails for what a key holds has its keys deleted and is sent again (`Script`); errors
that a server answers for reasons of its own, such as being full or moving a slot, are no such failure.
"""

import re
import struct

import structlog
from redis.exceptions import RedisError, ResponseError

from gameserver.storage.redis.lost_keys import kind_of

log = structlog.get_logger()

_FAULTS = (ValueError, TypeError, LookupError, ArithmeticError, struct.error)
_FAILED = re.compile(
    r"user_script:\d+: "
    r"|hash value is not an integer"
    r"|increment or decrement would overflow"
    r"|value is not (an integer or out of range|a valid float)"
    r"|The stream has exhausted the last possible ID"
    r"|Invalid stream ID"
)
"""How the errors begin that a script fails with for what its keys hold, by the server's code for all of no other."""


class Unreadable(RedisError):
    """What Redis holds isn't what the product writes there."""


class reading:  # noqa: N801 - read as `with reading(...)`
    """Raises Unreadable for what goes wrong while an answer is taken apart; `key` is one of those that it is of."""

    __slots__ = ("_key",)

    def __init__(self, key: str) -> None:
        self._key = key

    def __enter__(self) -> None:
        """Nothing is to be prepared."""

    def __exit__(self, _: object, fault: BaseException | None, __: object) -> None:
        if isinstance(fault, _FAULTS):
            tell(self._key)
            raise Unreadable(f"{kind_of(self._key)} can't be read: {type(fault).__name__}") from fault


def tell(key: str) -> None:
    """One line in the log for each kind of key; then how often it came."""
    log.warning("what a key of Redis holds can't be read and counts as lost", kind=kind_of(key))


def is_failure(answer: object) -> bool:
    """Whether an answer, or an error, says that a script has failed for what a key holds."""
    return isinstance(answer, ResponseError) and "user_script" in str(answer) and bool(_FAILED.match(str(answer)))
