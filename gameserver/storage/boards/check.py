"""Compares a board with the databases, and puts right what differs.

Law: nothing is called a difference before the board has followed the database's ledger past the moment at which the
database was read, and the same player was then read again on both sides. Who is newer on the board than in what was
read isn't compared. Both sides are gone through: players who are missing, and members that are nobody's.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import structlog
from redis.asyncio import Redis

from gameserver.rules.errors import BoardUnavailable
from gameserver.storage import tables
from gameserver.storage.boards.difference import Difference, Noted, differs, expected_of, nobody
from gameserver.storage.boards.layout import CONSTANTS, Contest, Place, pack_id, sign_of, unpack_record
from gameserver.storage.boards.rows import kept_arguments, place_of
from gameserver.storage.boards.standings import AWAY, BUILT
from gameserver.storage.boards.writer import BoardWriter
from gameserver.storage.ids import slot_of
from gameserver.storage.postgres import statements
from gameserver.storage.postgres.database import Database
from gameserver.storage.redis.faults import translated
from gameserver.storage.redis.scripts import Script
from gameserver.storage.slots.slot_map import Slots

log = structlog.get_logger()

SQL = statements.load(__package__, "check.sql")
CHUNK = 1_000
PATIENCE_SECONDS = 15.0
"""How long the board may take to follow what a database had."""
PAUSE_SECONDS = 0.2
ROUNDS = 2
"""How often a player who differs is read again on both sides."""
SHOWN = 20
Progress = Callable[[int], None]


@dataclass(slots=True)
class Verdict:
    """`compared` counts players; `differences` has the first of `found`; `repaired` says how many were put right."""

    compared: int = 0
    found: int = 0
    repaired: int = 0
    differences: list[Difference] = field(default_factory=list)


@dataclass(slots=True)
class _Truth:
    """What the databases have of some players, and when each database was read, in ms of its ledger."""

    places: dict[int, Place] = field(default_factory=dict)
    slots: list[int] = field(default_factory=list)
    read_at: dict[str, int] = field(default_factory=dict)


class LookCall(NamedTuple):
    state: str
    prefix: str
    ids: Sequence[bytes]


class ScanCall(NamedTuple):
    state: str
    prefix: str
    cursor: str
    limit: int


class DropCall(NamedTuple):
    state: str
    prefix: str


class BoardCheck:
    """One per node."""

    def __init__(self, redis: Redis, slots: Slots, writer: BoardWriter) -> None:
        self._slots = slots
        self._writer = writer
        self._look = Script(redis, __package__, "look", LookCall, CONSTANTS)
        self._scan = Script(redis, __package__, "scan", ScanCall, CONSTANTS)
        self._drop = Script(redis, __package__, "drop", DropCall, CONSTANTS)

    async def sample(self, contest: Contest, count: int, *, repair: bool) -> Verdict:
        """Compares some players of each database, and as many of the board, chosen at random.

        Raises BoardUnavailable, DatabaseUnavailable.
        """
        verdict = Verdict()
        databases = self._slots.databases("players")
        for database in databases:
            start = random.choice(await self._owned(database) or [0]), random.getrandbits(63)  # noqa: S311
            most = max(1, count // len(databases))
            ids = [each async for each in _ids(database, start, most)]
            if len(ids) < most:
                ids += [each async for each in _ids(database, (-1, -1), most - len(ids))]
            chosen = list(dict.fromkeys(ids))
            for first in range(0, len(chosen), CHUNK):
                await self._compare(contest, chosen[first : first + CHUNK], verdict, repair=repair)
        left = count
        while left > 0:
            with translated(BoardUnavailable, AWAY):
                found = await self._scan(ScanCall(contest.state, contest.prefix, "any", min(left, CHUNK)))
            await self._compare(contest, _scanned(found), verdict, repair=repair)
            left = min(left, found[3]) - CHUNK
        await self._count(contest, verdict, repair=repair)
        return verdict

    async def full(self, contest: Contest, progress: Progress, *, repair: bool) -> Verdict:
        """Compares every player of the databases and of the board; `progress` gets how many are done.

        Raises BoardUnavailable, DatabaseUnavailable.
        """
        verdict = Verdict()
        for database in self._slots.databases("players"):
            part: list[int] = []
            async for each in _ids(database, (-1, -1), None):
                part.append(each)
                if len(part) == CHUNK:
                    await self._compare(contest, part, verdict, repair=repair)
                    progress(verdict.compared)
                    part = []
            await self._compare(contest, part, verdict, repair=repair)
        cursor = "0"
        while True:
            with translated(BoardUnavailable, AWAY):
                found = await self._scan(ScanCall(contest.state, contest.prefix, cursor, CHUNK))
            await self._compare(contest, _scanned(found), verdict, repair=repair)
            progress(verdict.compared)
            if (cursor := found[1].decode()) == "0":
                break
        await self._count(contest, verdict, repair=repair)
        return verdict

    async def _count(self, contest: Contest, verdict: Verdict, *, repair: bool) -> None:
        """Every member is noted, and nobody else: what is not so can only be built anew."""
        with translated(BoardUnavailable, AWAY):
            found = await self._scan(ScanCall(contest.state, contest.prefix, "any", 1))
        _scanned(found)
        if found[2] != found[3]:
            log.error("a board is uneven", board=contest.board.name, members=found[2], noted=found[3])
            verdict.found += 1
            if repair:
                await self.rebuild(contest)
                verdict.repaired += 1

    async def rebuild(self, contest: Contest) -> str:
        """Begins to build a board anew, unless that is being done; the new generation. Raises BoardUnavailable."""
        with translated(BoardUnavailable, AWAY):
            return await self._writer.renew(contest)

    async def drop(self, contest: Contest) -> None:
        """Forgets a contest whose season is over. Raises BoardUnavailable."""
        with translated(BoardUnavailable, AWAY):
            await self._drop(DropCall(contest.state, contest.prefix))

    async def live(self, contest: Contest) -> str:
        """The generation that is served. Raises BoardUnavailable."""
        return (await self._noted(contest, ()))[0]

    async def _compare(self, contest: Contest, ids: Sequence[int], verdict: Verdict, *, repair: bool) -> None:
        verdict.compared += len(ids)
        truth = await self._truth(contest, ids)
        differing = await self._differing(contest, truth, ids)
        for _ in range(ROUNDS):
            if differing:
                truth = await self._truth(contest, differing)
                await self._until_passed(contest, truth)
                differing = await self._differing(contest, truth, differing)
        if differing:
            await self._report(contest, truth, differing, verdict, repair=repair)

    async def _until_passed(self, contest: Contest, truth: _Truth) -> None:
        """Waits until the board has followed the databases past the moments at which they were read."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not await self._has_passed(contest, truth):
            if time.monotonic() > deadline:
                raise BoardUnavailable("The board doesn't follow the databases.", retry_after=1)
            await asyncio.sleep(PAUSE_SECONDS)

    async def _report(
        self, contest: Contest, truth: _Truth, differing: Sequence[int], verdict: Verdict, *, repair: bool
    ) -> None:
        live, noted, _ = await self._noted(contest, differing)
        verdict.found += len(differing)
        for each in differing:
            expected = expected_of(contest, truth.places.get(each))
            difference = Difference(each, noted[each].score if each in noted else None, expected and expected.score)
            log.error("a board differs", board=contest.board.name, season=contest.season, **_fields(difference))
            if len(verdict.differences) < SHOWN:
                verdict.differences.append(difference)
        if repair:
            right = [truth.places.get(each) or nobody(each, noted[each]) for each in differing
                     if each in truth.places or each in noted]  # fmt: skip
            if await self._writer.repair(contest, live, right):
                verdict.repaired += len(right)

    async def _differing(self, contest: Contest, truth: _Truth, ids: Sequence[int]) -> list[int]:
        """Those of whom the board says something else; not those whose slot nobody owned just then."""
        if not ids:
            return []
        _, noted, _ = await self._noted(contest, ids)
        owned = set(truth.slots)
        return [
            each for each in ids if slot_of(each) in owned and differs(contest, truth.places.get(each), noted.get(each))
        ]

    async def _has_passed(self, contest: Contest, truth: _Truth) -> bool:
        _, _, as_of = await self._noted(contest, ())
        return all(as_of.get(name, 0) > at for name, at in truth.read_at.items())

    async def _truth(self, contest: Contest, ids: Iterable[int]) -> _Truth:
        truth = _Truth()
        wanted = list(ids)
        arguments = ([slot_of(each) for each in wanted], wanted, *kept_arguments([contest]))
        for database in self._slots.databases("players"):
            async with database.driver_snapshot() as connection:
                owned = await connection.fetchrow(SQL["owned"])
                rows = await connection.fetch(SQL["places"], *arguments)
            truth.slots += owned["slots"]
            truth.read_at[database.name] = int(owned["at"].timestamp() * 1000)
            truth.places |= {row["id"]: place_of(row, [contest]) for row in rows}
        return truth

    async def _owned(self, database: Database) -> list[int]:
        async with database.snapshot() as connection:
            owned = tables.players_owned_slots.c
            return list((await connection.execute(owned.slot.table.select().where(owned.owned))).scalars())

    async def _noted(self, contest: Contest, ids: Sequence[int]) -> tuple[str, dict[int, Noted], Mapping[str, int]]:
        with translated(BoardUnavailable, AWAY):
            found = await self._look(LookCall(contest.state, contest.prefix, [pack_id(each) for each in ids]))
        if found is None:
            raise BoardUnavailable(BUILT, retry_after=1)
        live, times, told = found
        name = live.decode()
        noted = {}
        for each, (value, score) in zip(ids, told, strict=True):
            if value:
                reached, version, card = unpack_record(value)
                told_score = sign_of(name) * int(float(score)) if score else None
                noted[each] = Noted(told_score, reached, version, card, bool(score))
        pairs = zip(times[::2], times[1::2], strict=True)
        return name, noted, {database.decode(): int(at) for database, at in pairs}


async def _ids(database: Database, after: tuple[int, int], most: int | None) -> AsyncIterator[int]:
    """Ids of a database's players, chunk by chunk."""
    told = 0
    while True:
        wanted = CHUNK if most is None else min(CHUNK, most - told)
        async with database.driver_snapshot() as connection:
            rows = await connection.fetch(SQL["ids"], *after, wanted)
        for row in rows:
            yield row["id"]
        told += len(rows)
        if len(rows) < wanted or told == most:
            return
        after = rows[-1]["slot"], rows[-1]["id"]


def _scanned(found: Any) -> list[int]:
    if found is None:
        raise BoardUnavailable(BUILT, retry_after=1)
    return [int.from_bytes(each) for each in found[4:] if len(each) == 8]


def _fields(difference: Difference) -> dict[str, Any]:
    return {"player": difference.player_id, "on_board": difference.board, "in_database": difference.database}
