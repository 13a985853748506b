"""Questions to one database that come while one is under way share the next statement."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Generic

from gameserver.coalescing import Bounds, Coalescer, QuestionT, ReplyT
from gameserver.rules.errors import Overloaded
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.shares import Purpose, using

BOUNDS = Bounds(flights=1, together=256, waiting=20_000, seconds=5.0)


def overloaded(detail: str) -> Overloaded:
    """The refusal of whatever asks a database."""
    return Overloaded(detail, retry_after=1)


class DatabaseCoalescer(Generic[QuestionT, ReplyT]):
    """One coalescer for each database; `run` asks one for many questions, and gives the replies in their order.

    It takes its connections for `purpose`, whoever asks.
    """

    def __init__(
        self,
        run: Callable[[Database, Sequence[QuestionT]], Awaitable[Sequence[ReplyT | Exception]]],
        purpose: Purpose = Purpose.ENTRY,
        bounds: Bounds = BOUNDS,
    ) -> None:
        self._run, self._purpose, self._bounds = run, purpose, bounds
        self._coalescers: dict[str, Coalescer[QuestionT, ReplyT]] = {}

    def ask(self, database: Database, question: QuestionT) -> asyncio.Future[ReplyT]:
        """The reply to come; it raises what `run` does. Raises Overloaded when too many questions wait."""
        coalescer = self._coalescers.get(database.name)
        if coalescer is None:
            coalescer = Coalescer(partial(self._ask, database), self._bounds, overloaded)
            self._coalescers[database.name] = coalescer
        return coalescer.ask(question)

    async def close(self) -> None:
        """Ends what is under way, and refuses whatever waits or is asked from now on."""
        await asyncio.gather(*(coalescer.close() for coalescer in self._coalescers.values()))

    async def _ask(self, database: Database, questions: Sequence[QuestionT]) -> Sequence[ReplyT | Exception]:
        with using(self._purpose):
            return await self._run(database, questions)
