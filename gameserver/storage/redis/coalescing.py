"""Calls of one script that come at about the same time go to Redis as one pipeline.

One awaited round trip costs more of a node's time than the question itself; while two pipelines are under way, whoever
asks meanwhile shares the next. What waits is bounded.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Generic

from redis.exceptions import RedisError

from gameserver.storage.redis.scripts import CallT, Script

IN_FLIGHT = 2
TOGETHER = 100
"""Calls in one pipeline, at the most: Redis answers them all before any is read."""
WAITING = 10_000


class Coalesced(Generic[CallT]):
    """As the script, for questions that change nothing. Raises RedisError, also when too many wait."""

    def __init__(self, script: Script[CallT]) -> None:
        self._script = script
        self._waiting: list[tuple[CallT, asyncio.Future[Any]]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def __call__(self, call: CallT) -> Any:
        if len(self._waiting) >= WAITING:
            raise RedisError("too many questions wait")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()
        self._waiting.append((call, answer))
        if len(self._waiting) == 1:
            loop.call_soon(self._send)
        return await answer

    def _send(self) -> None:
        while self._waiting and len(self._tasks) < IN_FLIGHT:
            asked, self._waiting = self._waiting[:TOGETHER], self._waiting[TOGETHER:]
            task = asyncio.create_task(self._ask(asked))
            self._tasks.add(task)
            task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._send()

    async def _ask(self, asked: Sequence[tuple[CallT, asyncio.Future[Any]]]) -> None:
        try:
            answers = await self._script.many([call for call, _ in asked])
        except BaseException as error:
            for _, future in asked:
                if not future.done():
                    future.set_exception(error if isinstance(error, Exception) else RedisError("the node stops"))
            if not isinstance(error, Exception):
                raise
            return
        for (_, future), answer in zip(asked, answers, strict=True):
            if not future.done():
                future.set_result(answer)
