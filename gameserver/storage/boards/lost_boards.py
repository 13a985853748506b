"""Boards whose keys can't be read as what followers write: they are dropped, and the followers build them anew.

Law: what can't be read is never shown, and never repaired by halves. Whoever finds it deletes the contest's state and
the generations that it names; the next look of a follower, within half a second, begins another one.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

from redis.asyncio import Redis

from gameserver.rules.errors import BoardUnavailable
from gameserver.storage.boards.layout import CONSTANTS, Contest, prefix_of
from gameserver.storage.redis import clients
from gameserver.storage.redis.faults import translated
from gameserver.storage.redis.scripts import Script
from gameserver.storage.redis.unreadable import Unreadable, reading

AWAY = "The board can't be read right now."
BUILT = "The board is being built."
CHUNK = 500
"""Contests asked for in one write."""
T = TypeVar("T")


class DropCall(NamedTuple):
    state: str
    prefix: str
    generation: str


class OfContest(Protocol):
    """A call of a script of this room that names its contest by the key of its state."""

    @property
    def state(self) -> str: ...


class LostBoards:
    """One for each client."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._drop = Script(redis, __package__, "drop", DropCall, CONSTANTS)

    async def drop(self, contest: Contest) -> None:
        """Deletes a contest. Raises RedisError."""
        await self._drop(DropCall(contest.state, contest.prefix, ""))

    async def present(self, contests: Sequence[Contest]) -> list[Contest]:
        """Those that have keys, in their order. Raises RedisError."""
        found: list[Contest] = []
        for first in range(0, len(contests), CHUNK):
            part = contests[first : first + CHUNK]
            answers = await clients.send_all(self._redis, [("EXISTS", contest.state) for contest in part])
            found += [contest for contest, answer in zip(part, answers, strict=True) if answer]
        return found

    async def lose(self, call: OfContest) -> None:
        """Deletes the contest of a call whose script couldn't read what is there. Raises RedisError."""
        await self._drop(DropCall(call.state, prefix_of(call.state), ""))

    async def read(self, contest: Contest, answer: Any, parse: Callable[[Any], T]) -> T:
        """What an answer says, which begins with the live generation; None says that there is none.

        A contest that can't be read is dropped. Raises BoardUnavailable.
        """
        if answer is None:
            raise BoardUnavailable(BUILT, retry_after=1)
        try:
            with reading(contest.state):
                return parse(answer)
        except Unreadable as error:
            with translated(BoardUnavailable, AWAY):
                await self._drop(DropCall(contest.state, contest.prefix, answer[0]))
            raise BoardUnavailable(BUILT, retry_after=1) from error
