"""Questions to a database that come while one is under way share the next statement."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from copy import copy
from typing import Generic, TypeVar

from gameserver.storage.postgres.database import Database

Question = TypeVar("Question")
Reply = TypeVar("Reply")
LARGEST = 256
"""Questions in one statement, at the most."""


class Coalescer(Generic[Question, Reply]):
    """Asks `run` for many questions at once, whose replies come in their order; its callers bound how many wait."""

    def __init__(self, run: Callable[[Database, Sequence[Question]], Awaitable[Sequence[Reply]]]) -> None:
        self._run = run
        self._waiting: dict[str, list[tuple[Question, asyncio.Future[Reply]]]] = {}
        self._working: dict[str, asyncio.Task[None]] = {}

    async def ask(self, database: Database, question: Question) -> Reply:
        """Raises what `run` does."""
        reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(database.name, []).append((question, reply))
        if database.name not in self._working:
            self._working[database.name] = asyncio.create_task(self._work(database))
        return await reply

    async def _work(self, database: Database) -> None:
        """Goes on until nobody waits."""
        try:
            while waiting := self._waiting.pop(database.name, []):
                asked, later = waiting[:LARGEST], waiting[LARGEST:]
                if later:
                    self._waiting[database.name] = later
                await self._answer(database, asked)
        finally:
            del self._working[database.name]

    async def _answer(self, database: Database, asked: Sequence[tuple[Question, asyncio.Future[Reply]]]) -> None:
        try:
            replies = await self._run(database, [question for question, _ in asked])
        except Exception as error:
            for _, future in asked:
                if not future.done():
                    future.set_exception(copy(error))
            return
        for (_, future), reply in zip(asked, replies, strict=True):
            if not future.done():
                future.set_result(reply)
