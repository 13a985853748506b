"""A load under way: one database's players into the generations that have no checkpoint of it, chunk by chunk."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog

from gameserver.storage.boards.layout import Contest
from gameserver.storage.boards.ranked import RankedPlayer
from gameserver.storage.boards.writer import NOBODY, BoardWriter, LoadStep
from gameserver.storage.ids import slot_of

log = structlog.get_logger()

PART = 1_000
"""Players in one call, at the most: Redis answers nobody else meanwhile."""


@dataclass(slots=True)
class BoardLoad:
    """`targets` are the generations that it fills, `after` is the last player loaded, `checkpoint` ends the load.

    `first` are the generations that had nothing of the database when it began.
    """

    name: str
    database: str
    targets: list[tuple[Contest, str]]
    writer: BoardWriter
    checkpoint: str = ""
    after: tuple[int, int] = NOBODY
    first: set[str] = field(default_factory=set)

    def boards(self) -> list[str]:
        return [contest.board.name for contest, _ in self.targets]

    async def begin(self) -> None:
        """Ends any load that was under way. Raises RedisError."""
        for contest, generation in self.targets:
            if await self.writer.begin_load(contest, generation, self.database, self.name):
                self.first.add(generation)

    async def write(self, players: Sequence[RankedPlayer], *, last: bool) -> bool:
        """Writes a chunk; with the last one the checkpoint. Raises RedisError.

        False when the load was superseded, or Redis has lost what it wrote before.
        """
        end = self._step(self.after, players)
        for contest, generation in self.targets:
            fine = await self._write(contest, generation, players)
            if fine and last:
                fine = await self.writer.end_load(contest, generation, end, self.checkpoint)
            if not fine:
                return False
        self.after = end.until
        if last:
            log.info("boards loaded", database=self.database, boards=self.boards())
        return True

    async def _write(self, contest: Contest, generation: str, players: Sequence[RankedPlayer]) -> bool:
        after, first = self.after, generation in self.first
        for start in range(0, len(players), PART):
            part = players[start : start + PART]
            step = self._step(after, part)
            if not await self.writer.apply_load(contest, generation, step, part, first=first):
                return False
            after = step.until
        return True

    def _step(self, since: tuple[int, int], players: Sequence[RankedPlayer]) -> LoadStep:
        until = (slot_of(players[-1].player.id), players[-1].player.id) if players else since
        return LoadStep(self.database, self.name, since, until)
