"""A contest's generations as operators and the end of seasons see them: which is live, rebuilding it, deleting all."""

from collections.abc import Collection, Sequence

from redis.asyncio import Redis

from gameserver.rules.errors import BoardUnavailable
from gameserver.storage.boards.layout import Contest
from gameserver.storage.boards.lost_boards import AWAY, LostBoards
from gameserver.storage.boards.records import BoardRecords
from gameserver.storage.boards.writer import BoardWriter
from gameserver.storage.redis.faults import translated


class BoardLifecycle:
    """One per node. Every call raises BoardUnavailable when Redis is away."""

    def __init__(self, redis: Redis, writer: BoardWriter) -> None:
        self._writer, self._records = writer, BoardRecords(redis)
        self._lost = LostBoards(redis)

    async def rebuild(self, contest: Contest) -> str:
        """Begins to build a board anew, unless that is being done; the new generation."""
        with translated(BoardUnavailable, AWAY):
            return await self._writer.renew(contest)

    async def drop(self, contest: Contest) -> None:
        """Deletes a contest whose season is over."""
        with translated(BoardUnavailable, AWAY):
            await self._lost.drop(contest)

    async def present(self, contests: Sequence[Contest]) -> list[Contest]:
        """Those that have keys."""
        with translated(BoardUnavailable, AWAY):
            return await self._lost.present(contests)

    async def drop_idle(self, kept: Collection[Contest]) -> int:
        """Deletes the contests that nobody has asked for in an hour, except those that are kept; how many."""
        with translated(BoardUnavailable, AWAY):
            return await self._writer.listed.drop_idle({contest.state for contest in kept})

    async def live(self, contest: Contest) -> str:
        """The generation that is served. Raises BoardUnavailable also while there is none."""
        return (await self._records.of(contest, ())).generation
