"""Compares a board with the databases, and puts right what differs.

Law: nothing is called a difference before the board has followed the database's ledger past the moment at which the
database was read, and the same player was then read again on both sides. Entries newer than the row read are skipped.
Nothing is repaired by what was read longer ago than OLDEST_READ_SECONDS: it is compared again,
a few times, and then the check ends.
Both sides are gone through: players who are missing, and members that belong to no player.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from redis.asyncio import Redis

from gameserver.rules.errors import BoardUnavailable
from gameserver.storage.boards.difference import Difference, differs, expected_of, without_player
from gameserver.storage.boards.layout import Contest
from gameserver.storage.boards.lost_boards import AWAY
from gameserver.storage.boards.records import ANY, FIRST, BoardRecords
from gameserver.storage.boards.truth import Truth, owned_slots, player_ids, read_truth
from gameserver.storage.boards.turns import OLDEST_READ_SECONDS
from gameserver.storage.boards.writer import BoardWriter
from gameserver.storage.ids import slot_of
from gameserver.storage.redis.faults import translated
from gameserver.storage.slots.slot_map import Slots

log = structlog.get_logger()

CHUNK = 1_000
"""Players compared at a time, at the most."""
PATIENCE_SECONDS = 15.0
"""How long the board may take to follow what a database had."""
PAUSE_SECONDS = 0.2
ROUNDS = 2
"""How often a player that differs is read again on both sides."""
MOST_ROUNDS = ROUNDS + 2
"""How often at the most, because what was read last is old already."""
SHOWN = 20
"""Differences that a report lists, at the most."""
OnProgress = Callable[[int], None]


@dataclass(slots=True)
class CheckReport:
    """`compared` counts players; `differences` has the first of `found`; `repaired` says how many were put right."""

    compared: int = 0
    found: int = 0
    repaired: int = 0
    differences: list[Difference] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Check:
    """One check under way."""

    contest: Contest
    report: CheckReport
    repair: bool


def ignore(_: int) -> None:
    """Progress that nobody follows."""


class BoardCheck:
    """One per node."""

    def __init__(self, redis: Redis, slots: Slots, writer: BoardWriter, chunk: int = CHUNK) -> None:
        self._slots, self._writer, self._chunk = slots, writer, chunk
        self._records = BoardRecords(redis)

    async def sample(self, contest: Contest, count: int, progress: OnProgress = ignore, *, repair: bool) -> CheckReport:
        """Compares some players of each database, and as many of the board, chosen at random.

        `progress` gets how many are done. Raises BoardUnavailable, DatabaseUnavailable.
        """
        return await self._run(contest, self._chosen(contest, count), progress, repair=repair)

    async def full(self, contest: Contest, progress: OnProgress, *, repair: bool) -> CheckReport:
        """Compares every player of the databases and of the board. Raises what `sample` does."""
        return await self._run(contest, self._all(contest), progress, repair=repair)

    async def _run(
        self, contest: Contest, chunks: AsyncIterator[Sequence[int]], progress: OnProgress, *, repair: bool
    ) -> CheckReport:
        check = _Check(contest, CheckReport(), repair)
        async for ids in chunks:
            await self._compare(check, ids)
            progress(check.report.compared)
        await self._count(check)
        return check.report

    async def _chosen(self, contest: Contest, count: int) -> AsyncIterator[Sequence[int]]:
        """Ids behind a random place in each database, which goes on from its beginning; then ids of the board."""
        databases = self._slots.databases("players")
        most = max(1, count // len(databases))
        for database in databases:
            start = random.choice(await owned_slots(database) or [0]), random.getrandbits(63)  # noqa: S311
            ids = [player_id async for part in player_ids(database, self._chunk, start, most) for player_id in part]
            if len(ids) < most:
                rest = player_ids(database, self._chunk, most=most - len(ids))
                ids += [player_id async for part in rest for player_id in part]
            chosen = list(dict.fromkeys(ids))
            for first in range(0, len(chosen), self._chunk):
                yield chosen[first : first + self._chunk]
        left = count
        while left > 0:
            page = await self._records.page(contest, ANY, min(left, self._chunk))
            yield page.ids
            left = min(left, page.records) - self._chunk

    async def _all(self, contest: Contest) -> AsyncIterator[Sequence[int]]:
        """All ids of each database, then all of the board."""
        for database in self._slots.databases("players"):
            async for ids in player_ids(database, self._chunk):
                yield ids
        cursor = FIRST
        while True:
            page = await self._records.page(contest, cursor, self._chunk)
            yield page.ids
            if (cursor := page.cursor) == FIRST:
                return

    async def _count(self, check: _Check) -> None:
        """Every member has a record, and nobody else has: a board for which this isn't so can only be rebuilt."""
        page = await self._records.page(check.contest, ANY, 1)
        if page.members != page.records:
            log.error("a board is uneven", board=check.contest.board.name, members=page.members, noted=page.records)
            check.report.found += 1
            if check.repair:
                with translated(BoardUnavailable, AWAY):
                    await self._writer.renew(check.contest)
                check.report.repaired += 1

    async def _compare(self, check: _Check, ids: Sequence[int]) -> None:
        # A first look, which most boards pass.
        check.report.compared += len(ids)
        truth = await read_truth(self._slots, check.contest, ids)
        differing = await self._differing(check.contest, truth, ids)

        # Those that differ are read again, once the board has followed what the databases had.
        rounds = 0
        while differing and (rounds < ROUNDS or _is_old(truth)):
            if rounds == MOST_ROUNDS:
                raise BoardUnavailable("The databases are read too slowly to be compared.", retry_after=60)
            truth = await read_truth(self._slots, check.contest, differing)
            await self._until_passed(check.contest, truth)
            differing = await self._differing(check.contest, truth, differing)
            rounds += 1
        if differing:
            await self._report(check, truth, differing)

    async def _until_passed(self, contest: Contest, truth: Truth) -> None:
        """Waits until the board has followed the databases past the moments at which they were read."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not await self._has_passed(contest, truth):
            if time.monotonic() > deadline:
                raise BoardUnavailable("The board doesn't follow the databases.", retry_after=1)
            await asyncio.sleep(PAUSE_SECONDS)

    async def _has_passed(self, contest: Contest, truth: Truth) -> bool:
        as_of = (await self._records.of(contest, ())).as_of
        return all(as_of.get(database, 0) > read_at for database, read_at in truth.read_at.items())

    async def _differing(self, contest: Contest, truth: Truth, ids: Sequence[int]) -> list[int]:
        """Players of whom the board says something else; not those whose slot nobody owned just then."""
        if not ids:
            return []
        records = (await self._records.of(contest, ids)).by_player
        return [
            player_id for player_id in ids
            if slot_of(player_id) in truth.slots
            and differs(contest, truth.places.get(player_id), records.get(player_id))
        ]  # fmt: skip

    async def _report(self, check: _Check, truth: Truth, differing: Sequence[int]) -> None:
        contest, report = check.contest, check.report
        records = await self._records.of(contest, differing)
        report.found += len(differing)
        right = []
        for player_id in differing:
            place, record = truth.places.get(player_id), records.by_player.get(player_id)
            expected = expected_of(contest, place)
            difference = Difference(player_id, record.score if record else None, expected.score if expected else None)
            log.error("a board differs", board=contest.board.name, season=contest.season, **_fields(difference))
            if len(report.differences) < SHOWN:
                report.differences.append(difference)
            if place is not None:
                right.append(place)
            elif record is not None:
                right.append(without_player(player_id, record))
        if check.repair and not _is_old(truth):
            with translated(BoardUnavailable, AWAY):
                if await self._writer.repair(contest, records.generation, right):
                    report.repaired += len(right)


def _is_old(truth: Truth) -> bool:
    """Whether it may be older than the board's memory of who has left: writing it could bring somebody back."""
    return time.monotonic() - truth.began > OLDEST_READ_SECONDS


def _fields(difference: Difference) -> dict[str, Any]:
    return {"player": difference.player_id, "on_board": difference.board, "in_database": difference.database}
