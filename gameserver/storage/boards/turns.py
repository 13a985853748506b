"""A follower's turns: what has become visible is read, announced, and written to the boards.

Law: each board, and the announcements, have a checkpoint of their own, which only moves forward. What is together is
read once, from the checkpoint that is least far; a checkpoint that doesn't have all that this one has is left for
another turn, since what it lacks isn't read. What lags far behind is caught up in readings of its own, so it holds up
nothing else, and without boards the connected hear of their changes all the same.
"""

import secrets
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import asyncpg

from gameserver.storage.boards.layout import Contest
from gameserver.storage.boards.ledger_reader import LedgerChanges, LedgerReader
from gameserver.storage.boards.ranked import RankedPlayer
from gameserver.storage.boards.traces import BoardTraces
from gameserver.storage.boards.whereabouts import Whereabouts
from gameserver.storage.boards.writer import WHOLE, BoardWriter, Generation, WritePart
from gameserver.storage.ledger.snapshot import Checkpoint, Source
from gameserver.storage.live.presence import CHANGED, Presence
from gameserver.telemetry import FOLLOWED

TELL_SECONDS = 1.0
"""How often the boards get the time up to which they are, while nothing happens."""
OLDEST_READ_SECONDS = 30.0
"""What was read longer ago isn't written any more: the tombstones that guard against it may be gone."""
PART = 1_000
"""Changed players written in one call, at the most."""
FAR = 4_000
"""Transaction ids by which a checkpoint lags far behind the one that is ahead of all: those of two turns."""

FollowedBoard = tuple[Contest, Generation]


class Position(NamedTuple):
    """How far a board has been followed, or the announcements, which have no board."""

    checkpoint: Checkpoint
    board: FollowedBoard | None = None


class TurnEnd(NamedTuple):
    """How a turn has ended.

    `busy`: something changed, or there is more; `current`: everything is up to date; `moved`: another follower has
    moved a checkpoint, so that Redis has to be asked again.
    """

    busy: bool = False
    current: bool = False
    moved: bool = False


class FollowerTurns:
    """One per follower. `followed` and `announced` are set by it, and move with each turn."""

    def __init__(self, database: str, writer: BoardWriter, presence: Presence, traces: BoardTraces | None) -> None:
        self._database, self._writer, self._presence, self._traces = database, writer, presence, traces
        self.ledger, self._behind = LedgerReader(database), LedgerReader(database)
        self.followed: list[FollowedBoard] = []
        self.announced: Checkpoint | None = None
        self._whereabouts = Whereabouts()
        self._written = 0.0

    def forget(self) -> None:
        """Whatever is written next may be news to the boards."""
        self._whereabouts.forget()

    def fail(self) -> None:
        """After a failure, which may come of too large a step: the next ones are smaller."""
        self.ledger.fail()
        self._behind.fail()

    async def take(self, connection: asyncpg.Connection, source: Source) -> TurnEnd:
        """A step of what is near the one ahead, and one of what is far behind. Raises what either reading does."""
        near, far = parted(self._positions(source))
        if not near:
            return TurnEnd()
        end = await self._step(connection, self.ledger, near)
        if not far:
            return end
        behind = await self._step(connection, self._behind, far, is_far=True)
        return TurnEnd(busy=True, moved=end.moved or behind.moved)

    def _positions(self, source: Source) -> list[Position]:
        boards = [(Checkpoint.resume(board[1].checkpoint, source), board) for board in self.followed]
        positions = [Position(checkpoint, board) for checkpoint, board in boards if checkpoint is not None]
        return positions if self.announced is None else [Position(self.announced), *positions]

    async def _step(
        self, connection: asyncpg.Connection, reader: LedgerReader, positions: Sequence[Position], *,
        is_far: bool = False,
    ) -> TurnEnd:  # fmt: skip
        since, group = together(positions)
        boards = [each.board for each in group if each.board is not None]
        started, began = time.monotonic(), time.time_ns()
        changes = await reader.read(connection, since, [contest for contest, _ in boards])

        # The connected hear of their changes first, the boards follow.
        if len(boards) < len(group):
            await self._announce(changes)
        if time.monotonic() - started > OLDEST_READ_SECONDS:
            return TurnEnd(busy=True)
        moved = False
        if changes.reached != since or started - self._written > TELL_SECONDS:
            moved = not await self._write(group, changes, is_far=is_far)
            self._written = self._written if is_far else started
            if self._traces is not None and boards and changes.players:
                await self._traces.note(connection, since, changes, began)
        current = not (changes.more or moved or len(group) < len(positions))
        return TurnEnd(busy=bool(changes.players) or changes.more, current=current, moved=moved)

    async def _announce(self, changes: LedgerChanges) -> None:
        if self.announced is None or not _is_ahead(changes, self.announced):
            return
        versions = [(ranked.player.id, ranked.player.version) for ranked in changes.players]
        await self._presence.announce(CHANGED, versions)
        self.announced = changes.reached

    async def _write(self, group: Sequence[Position], changes: LedgerChanges, *, is_far: bool) -> bool:
        """Part by part; the checkpoints move with the last one, where that is forward. False if any was elsewhere."""
        boards = [each.board for each in group if each.board is not None]
        if not boards:
            return True
        players = changes.players
        if is_far:
            players = [ranked._replace(moved=True) for ranked in players]
        else:
            self._whereabouts.follow(boards)
            players = self._whereabouts.marked(players)
        written = await self._write_parts(group, changes, players)
        if not written:
            self.forget()
        elif not is_far:
            self._whereabouts.note(players)
        FOLLOWED.labels(self._database).inc(len(players))
        return written

    async def _write_parts(
        self, group: Sequence[Position], changes: LedgerChanges, players: Sequence[RankedPlayer]
    ) -> bool:
        forward = [
            each.board for each in group if each.board and changes.reached.snapshot.covers(each.checkpoint.snapshot)
        ]
        ahead = [each.board for each in group if each.board and each.board not in forward]
        name, checkpoint, done = self._database, changes.reached.dump(), 0
        fine, turn, part = True, secrets.token_hex(4), WHOLE
        while len(players) - done > PART:
            # Each part expects the one before it: Redis may go back in between.
            part = WritePart(f"{turn}:{done}", part.name)
            some = players[done : done + PART]
            fine = all(await self._writer.apply([*forward, *ahead], name, "", some, part=part)) and fine
            done += PART
        last = WritePart(before=part.name)
        if ahead:
            fine = all(await self._writer.apply(ahead, name, "", players[done:], part=last)) and fine
        as_of = None if changes.more else changes.as_of
        written = await self._writer.apply(forward, name, checkpoint, players[done:], as_of, last)
        moved = {generation.name for (_, generation), is_fine in zip(forward, written, strict=True) if is_fine}
        self.followed = [
            (contest, replace(generation, checkpoint=checkpoint) if generation.name in moved else generation)
            for contest, generation in self.followed
        ]
        return fine and all(written)


def parted(positions: Sequence[Position]) -> tuple[list[Position], list[Position]]:
    """Those that are near the one that is ahead of all, and those that lag far behind it."""
    lead = max((each.checkpoint.snapshot.xmax for each in positions), default=0)
    near = [each for each in positions if lead - each.checkpoint.snapshot.xmax <= FAR]
    return near, [each for each in positions if lead - each.checkpoint.snapshot.xmax > FAR]


def together(positions: Sequence[Position]) -> tuple[Checkpoint, list[Position]]:
    """The checkpoint that is least far, and those that have all that it has: what is read from there completes them."""
    since = min((each.checkpoint for each in positions), key=lambda checkpoint: checkpoint.snapshot.age())
    return since, [each for each in positions if each.checkpoint.snapshot.covers(since.snapshot)]


def _is_ahead(changes: LedgerChanges, checkpoint: Checkpoint) -> bool:
    return changes.reached != checkpoint and changes.reached.snapshot.covers(checkpoint.snapshot)
