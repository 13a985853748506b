"""Lua scripts as typed calls: one file a script, one named tuple a call, and the names of both must agree.

Law: the fields of the tuple are the legend's keys and then its arguments, in the legend's order, or the script can't be
made; after that a call costs no more than one by position. A call sends the script's hash, and the text only when the
server doesn't know it, so no script cache is assumed warm. All keys of a call share a hash tag, as a cluster demands.
"""

import functools
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from hashlib import sha1
from typing import Any, Generic, NamedTuple, TypeVar

from redis.asyncio import Redis
from redis.exceptions import NoScriptError, ResponseError

from gameserver.storage.redis import clients, lost_keys, unreadable
from gameserver.storage.redis.legend import NO_CONSTANTS, Assembled, Constant, LegendFault, assemble

Argument = str | bytes | int


CallT = TypeVar("CallT", bound=NamedTuple)
"""A call's keys and arguments; a field that stands for all that are left holds a sequence."""


class Script(Generic[CallT]):
    """One script on one server."""

    def __init__(
        self,
        redis: Redis,
        package: str,
        name: str,
        call: type[CallT],
        constants: Mapping[str, Constant] = NO_CONSTANTS,
        lose: Callable[[CallT], Awaitable[object]] | None = None,
    ) -> None:
        """`name` is a file in the `lua/` of the room `package`. Raises LegendFault.

        `lose` deletes what a call can't read; without it the keys of the call are deleted.
        """
        assembled = assembled_once(package, name, tuple(constants.items()))
        expected = (*assembled.keys.names, *assembled.arguments.names)
        if call._fields != expected:
            raise LegendFault(f"{package}, {name}.lua: {call.__name__} has {call._fields}, the legend {expected}")
        self._redis = redis
        self._text = assembled.text
        self._hash = sha1(self._text.encode(), usedforsecurity=False).hexdigest()
        self._packed = _packer(assembled)
        self._lose = lose or self._lose_keys

    async def __call__(self, call: CallT) -> Any:
        """What the script returns. Raises RedisError."""
        packed = self._packed(call)
        try:
            try:
                return await self._redis.evalsha(self._hash, *packed)
            except NoScriptError:
                return await self._redis.eval(self._text, *packed)
        except ResponseError as error:
            return await self._again(call, error)

    async def many(self, calls: Sequence[CallT]) -> list[Any]:
        """What each call returns, all sent in one write. Raises RedisError, if only for one of them."""
        answers = await self.each(calls)
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return answers

    async def each(self, calls: Sequence[CallT]) -> list[Any]:
        """What each call returns, or the error of that call, all sent in one write.

        Raises RedisError when the answers are lost; each call may have taken effect then.
        """
        answers = await self._sent("EVALSHA", self._hash, calls)
        # What a server refused because it doesn't know the script took no effect, so it is sent again with the text.
        unknown = [number for number, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
        if unknown:
            again = await self._sent("EVAL", self._text, [calls[number] for number in unknown])
            for number, answer in zip(unknown, again, strict=True):
                answers[number] = answer
        for number in [number for number, answer in enumerate(answers) if isinstance(answer, ResponseError)]:
            answers[number] = await self._answer_again(calls[number], answers[number])
        return answers

    async def _answer_again(self, call: CallT, error: ResponseError) -> Any:
        try:
            return await self._again(call, error)
        except ResponseError as final:
            return final

    async def _again(self, call: CallT, error: ResponseError) -> Any:
        """What the script returns once what it was refused for, or failed at, is gone. Raises RedisError."""
        packed = self._packed(call)
        if lost_keys.is_refused(error):
            return await lost_keys.again(self._redis, self._text, packed)
        if not unreadable.is_failure(error):
            raise error
        unreadable.tell(str(packed[1]))
        await self._lose(call)
        return await self._redis.eval(self._text, *packed)

    async def _lose_keys(self, call: CallT) -> None:
        count, *rest = self._packed(call)
        await lost_keys.lose(self._redis, rest[:count])

    async def _sent(self, command: str, script: str, calls: Sequence[CallT]) -> list[Any]:
        return await clients.send_all(self._redis, [(command, script, *self._packed(call)) for call in calls])


@functools.cache
def assembled_once(package: str, name: str, constants: tuple[tuple[str, Constant], ...]) -> Assembled:
    """What `assemble` makes, read and checked once in a process."""
    return assemble(package, name, dict(constants))


def _packer(assembled: Assembled) -> Callable[[Any], Any]:
    """Makes of a call what EVALSHA wants: the number of keys, the keys, the arguments."""
    keys, arguments = len(assembled.keys.names), assembled.arguments

    def plain(call: Iterable[Any]) -> tuple[Any, ...]:
        return (keys, *call)

    def with_arguments(call: Sequence[Any]) -> tuple[Any, ...]:
        return (keys, *call[:-1], *call[-1])

    def with_keys(call: Sequence[Any]) -> tuple[Any, ...]:
        named, tail = call[: keys - 1], call[keys - 1]
        rest = (*call[keys:-1], *call[-1]) if arguments.has_tail else call[keys:]
        return (len(named) + len(tail), *named, *tail, *rest)

    if assembled.keys.has_tail:
        return with_keys
    return with_arguments if arguments.has_tail else plain
