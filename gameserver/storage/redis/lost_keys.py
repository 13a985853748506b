"""Keys that hold something of another type than the product puts there: such a key counts as lost.

Law: a call that Redis refuses for a key's type (WRONGTYPE) is sent again as a script that deletes that key and says
which it was, until none is left; its answer is then what it would be if Redis had evicted the keys. So what a vanished
key leads to (a board is built anew, a cache is filled, a session has ended) follows here, too, and no call pays for it
that isn't refused. What a key can't be used without (LOST_WITH) is deleted with it. The log has the kind of each key.

A script may have written something before it was refused: each can be sent again after a part of it took effect.
"""

import functools
import re
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from gameserver.storage.redis.legend import HOME, Constant, assemble

log = structlog.get_logger()

MOST = 16
"""Keys of one call that are deleted; a call with more of them fails, and the next one goes on."""
PARTS_OF_BOARDS = ("^(gs:{board:.*:)[^:]+$", "%1checkpoints")
PUSHES = ("^gs:pushes:", "gs:stream:")
LOST_WITH = (PARTS_OF_BOARDS, PUSHES)
"""Lua patterns of keys, and what makes of each the key that is lost with it: without checkpoints a board is built anew,
and without its stream a client learns that it missed pushes."""
CONSTANTS: Mapping[str, Constant] = {
    "PATTERNS": tuple(pattern for pattern, _ in LOST_WITH),
    "OTHERS": tuple(other for _, other in LOST_WITH),
}
_LOST = "LOST "


def is_refused(answer: object) -> bool:
    """Whether an answer, or an error, says that a key has another type."""
    return isinstance(answer, ResponseError) and str(answer).startswith("WRONGTYPE")


async def again(redis: Redis, text: str, packed: Sequence[Any]) -> Any:
    """What a refused script returns once the keys that had another type are gone.

    `packed` are the number of keys, the keys, and the arguments. Raises RedisError.
    """
    mending = _mended(text)
    for _ in range(MOST):
        try:
            return await redis.eval(mending, *packed)
        except ResponseError as error:
            if not str(error).startswith(_LOST):
                raise
            key = str(error).removeprefix(_LOST).partition(" script: ")[0]
            log.warning("a key of Redis held something else and counts as lost", kind=kind_of(key))
    raise ResponseError(f"More than {MOST} keys of one call held something else.")


async def command_again(redis: Redis, command: Sequence[Any]) -> Any:
    """The same for a command that was sent by itself: its name, its key, and so on."""
    name, key, *others = command
    return await again(redis, _assembled("command"), (1, key, name, *others))


async def lose(redis: Redis, keys: Sequence[Any]) -> None:
    """Deletes keys, and what is lost with them. Raises RedisError."""
    await redis.eval(_assembled("losing"), len(keys), *keys)


def _mended(text: str) -> str:
    """The script with what stands before it; its flags have to come first."""
    flags, is_flagged, rest = text.partition("\n") if text.startswith("#!") else ("", "", text)
    return flags + is_flagged + _assembled("mending") + rest


@functools.cache
def _assembled(name: str) -> str:
    return assemble(HOME, name, CONSTANTS).text


def kind_of(key: str) -> str:
    """A key without what tells it from others of its kind: ids, names, addresses and hashes."""
    return "".join(part if re.fullmatch(r"[:{}]?|[a-z_-]{2,20}", part) else "*" for part in re.split("([:{}])", key))
