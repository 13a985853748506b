"""Follows one database's ledger for the boards and the connected: one node at a time, by a lock on the database.

Law: a checkpoint is stored with what was derived up to it and moves in the same call, so a follower that is killed,
frozen or doubled can neither lose nor undo anything: the next one goes on from there, and a call that expects another
checkpoint changes nothing. A generation without a checkpoint (a new board, or a Redis that lost its memory) is loaded
from the tables, chunk by chunk between turns of following, from a snapshot taken before the first chunk. It isn't
served before every database's follower has caught up with what was there after the last load. A node that hasn't
loaded the rules in force at the database leaves it to one that has, since it doesn't know which boards there are.
"""

import asyncio
import secrets
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import asyncpg
import structlog
from redis.exceptions import RedisError

from gameserver.rules.editions import RulesInForce
from gameserver.rules.errors import PresenceUnavailable
from gameserver.storage.boards.ages import BoardsAge
from gameserver.storage.boards.layout import Contest
from gameserver.storage.boards.ledger_reader import SQL
from gameserver.storage.boards.loading import BoardLoad
from gameserver.storage.boards.marks import Mark
from gameserver.storage.boards.rows import ranked_player_of, stored_score_arguments
from gameserver.storage.boards.traces import BoardTraces
from gameserver.storage.boards.turns import FAR, OLDEST_READ_SECONDS, TELL_SECONDS, FollowerTurns
from gameserver.storage.boards.writer import BoardWriter, Generation
from gameserver.storage.ledger.snapshot import Checkpoint, Snapshot, Source
from gameserver.storage.live.presence import Presence
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.faults import LOST
from gameserver.storage.postgres.link import HOT_PATH, Link
from gameserver.storage.postgres.locks import FOLLOWING
from gameserver.storage.postgres.patience import TRANSACTION
from gameserver.storage.postgres.sole_locks import SoleLock
from gameserver.telemetry import FOLLOWER_LOADS
from gameserver.tracing.tracer import Tracer

log = structlog.get_logger()

SHORTEST_PAUSE, BUSY_PAUSE, QUIET_PAUSE = 0.02, 0.05, 0.1
"""Seconds between turns: the least, and the most after a turn that brought something, and after one that didn't."""
PAUSE_SHARE = 5
"""A pause is so many times as long as the turn before it: a player that acts in the meantime is written once."""
LOADING_SECONDS = 0.005
STATE_SECONDS = 0.5
BUILDING_SECONDS = 0.1
"""How often Redis is asked which generations there are, also while one isn't live yet."""
RETRY_SECONDS = 0.5
STUMBLES = 3
"""How often in a row Redis may fail a follower before it gives its database to another node."""
LIST_SECONDS = 60.0
"""How often the contests that there are are listed, for those that will be there no more."""
CHUNK = 5_000
"""Players loaded in one turn, at the most."""
SETTINGS = {
    **HOT_PATH,
    "max_parallel_workers_per_gather": "0",
    "lock_timeout": "100",
    "statement_timeout": "5000",
    "idle_session_timeout": "10000",
    TRANSACTION: "10000",
}


def pause_after(before: float, lasted: float, *, busy: bool) -> float:
    """Seconds until the next turn, after a pause and a turn.

    A board lags by a pause and two turns, so both are short; a follower works for at most a sixth of its time, unless
    turns take long. While nothing happens, each pause is twice as long as the one before it.
    """
    if busy:
        return min(max(PAUSE_SHARE * lasted, SHORTEST_PAUSE), BUSY_PAUSE)
    return min(2 * before, QUIET_PAUSE)


class FollowedBoards(NamedTuple):
    """What there is to follow for, as of now: the contests, the names of all databases that they rank, the rules."""

    contests: Callable[[], Sequence[Contest]]
    names: Callable[[], Sequence[str]]
    rules: RulesInForce


class Follower:
    """Keeps the boards up to one database."""

    def __init__(
        self,
        database: Database,
        writer: BoardWriter,
        presence: Presence,
        boards: FollowedBoards,
        tracer: Tracer | None = None,
    ) -> None:
        traces = None if tracer is None else BoardTraces(tracer, database.name)
        self._database, self._writer, self._boards = database, writer, boards
        self._turns = FollowerTurns(database.name, writer, presence, traces)
        self._age, self._lock = BoardsAge(database.name, writer.marks), SoleLock(FOLLOWING)
        self._load: BoardLoad | None = None
        self._points: dict[tuple[str, int], Snapshot] = {}
        """By generation and its loads: what its followers have to catch up with before it may become live."""
        self._starting, self._building, self._stumbles = True, False, 0
        self._looked = self._listed = self._marked = 0.0

    async def run(self) -> None:
        """Follows until cancelled; after any loss it begins again at the checkpoint."""
        self._age.show()
        link = Link(self._database, SETTINGS)
        try:
            while True:
                try:
                    await self._follow(link)
                except (*LOST, asyncpg.PostgresError, RedisError, PresenceUnavailable) as error:
                    log.warning("follower", database=self._database.name, error=f"{type(error).__name__}: {error}")
                    link.drop()
                    self._turns.fail()
                await self._age.learn()
                await asyncio.sleep(RETRY_SECONDS)
        finally:
            self._age.hide()
            await link.close()

    async def _follow(self, link: Link) -> None:
        """Turn after turn while it holds the lock and has the rules in force; returns when another node does."""
        connection = await link.open()
        if await self._is_outdated(connection) or not await self._lock.take(connection):
            return
        source = await self._begin(connection)
        pause = SHORTEST_PAUSE
        while True:
            began = ended = time.monotonic()
            try:
                # What has changed for the generations that there are, and the next chunk of those without anything.
                busy = await self._turn(connection, source)
                ended = time.monotonic()
                pause = pause_after(pause, ended - began, busy=busy)
                # What no board waits for is part of the pause: loads, which generations there are now, and the index.
                if not await self._between_turns(connection, source, busy=busy):
                    log.warning("the rules in force are for another node to follow by", database=self._database.name)
                    link.drop()
                    return
                self._stumbles = 0
            except (RedisError, PresenceUnavailable) as error:
                await self._stumble(error)
            await asyncio.sleep(LOADING_SECONDS if self._load is not None else max(0, ended + pause - time.monotonic()))

    async def _begin(self, connection: asyncpg.Connection) -> Source:
        """Where the last follower ended; announcements begin with the boards, or now, if nothing says where that was.

        A new connection: checkpoints of the same server count, after it was compared with what they were taken on.
        """
        row = await connection.fetchrow(SQL["identity"])
        source = Source(row["system"], row["timeline"], secrets.token_hex(6))
        self._load, self._turns.followed = None, []
        self._points.clear()
        self._turns.forget()
        mark = await self._writer.marks.read(self._database.name)
        announced = None if mark is None else Checkpoint.resume(mark.checkpoint, source)
        self._looked = 0.0
        await self._look(connection, source)
        self._turns.announced = announced or await self._announced_by_boards(connection, source)
        return source

    async def _announced_by_boards(self, connection: asyncpg.Connection, source: Source) -> Checkpoint:
        here = await self._here(connection, source)
        boards = [Checkpoint.resume(generation.checkpoint, source) for _, generation in self._turns.followed]
        near = [each for each in boards if each and here.snapshot.xmax - each.snapshot.xmax <= FAR]
        return min(near, key=lambda checkpoint: checkpoint.snapshot.age(), default=here)

    async def _turn(self, connection: asyncpg.Connection, source: Source) -> bool:
        end = await self._turns.take(connection, source)
        if end.moved:
            self._looked = 0.0
        if end.current and (self._turns.followed or not self._boards.contests()):
            self._age.current = time.time()
        if self._turns.announced is not None and time.monotonic() - self._marked > TELL_SECONDS:
            mark = Mark(int(self._age.current * 1000), self._turns.announced.dump())
            await self._writer.marks.write(self._database.name, mark)
            self._marked = time.monotonic()
        return end.busy

    async def _between_turns(self, connection: asyncpg.Connection, source: Source, *, busy: bool) -> bool:
        """False when this node doesn't have the rules in force."""
        if self._load is not None:
            await self._load_chunk(connection, self._load)
        if time.monotonic() - self._looked >= (BUILDING_SECONDS if self._building else STATE_SECONDS):
            if await self._is_outdated(connection):
                return False
            await self._look(connection, source)
        if busy:
            await self._turns.ledger.tend(connection)
        return True

    async def _is_outdated(self, connection: asyncpg.Connection) -> bool:
        """Whether the database has rules in force that are newer than all that this node has."""
        edition, rules = await connection.fetchval(SQL["edition"]), self._boards.rules
        return bool(edition > rules.edition.number and not rules.has(edition))

    async def _stumble(self, error: Exception) -> None:
        """Goes on from where it was, also in a load; but lets another node try when Redis doesn't answer this one."""
        self._stumbles, self._looked = self._stumbles + 1, 0.0
        self._turns.forget()
        if self._stumbles > STUMBLES:
            raise error
        log.warning("follower stumbles", database=self._database.name, error=f"{type(error).__name__}: {error}")
        await asyncio.sleep(RETRY_SECONDS)

    async def _look(self, connection: asyncpg.Connection, source: Source) -> None:
        """Asks Redis which generations there are, and begins to load those that have no checkpoint."""
        self._looked, self._building = time.monotonic(), False
        contests = self._boards.contests()
        empty: list[tuple[Contest, str]] = []
        followed: list[tuple[Contest, Generation]] = []
        for contest, generations in zip(contests, await self._asked(contests), strict=True):
            for generation in generations:
                self._building = self._building or generation.is_next
                if not generation.checkpoint:
                    # Nothing of this database is in it yet.
                    empty.append((contest, generation.name))
                elif Checkpoint.resume(generation.checkpoint, source) is None:
                    # It follows another server or timeline, whose rows may not be here, or it can't be read.
                    await self._writer.renew(contest, unusable=generation.name)
                else:
                    followed.append((contest, generation))
                    await self._catch_up(connection, source, contest, generation)
        self._turns.followed = followed

        # A load goes on as long as it is for what is empty; another set is loaded from the beginning.
        if self._load is None or self._load.targets != empty:
            self._load = await self._begin_load(connection, source, empty) if empty else None

    async def _asked(self, contests: Sequence[Contest]) -> list[list[Generation]]:
        names, edition = self._boards.names(), self._boards.rules.edition.number
        listed = await self._writer.generations(
            contests, self._database.name, names, edition=edition, starting=self._starting
        )
        self._starting = False
        if time.monotonic() - self._listed > LIST_SECONDS:
            await self._writer.listed.add(contests)
            self._listed = time.monotonic()
        return listed

    async def _catch_up(
        self, connection: asyncpg.Connection, source: Source, contest: Contest, generation: Generation
    ) -> None:
        """Says so when the writes up to a point after all loads are in a generation that isn't live yet."""
        if not generation.loads:
            return
        key = (generation.name, generation.loads)
        if key not in self._points:
            self._points[key] = Snapshot.parse(await connection.fetchval(SQL["snapshot"]))
        checkpoint = Checkpoint.resume(generation.checkpoint, source)
        if checkpoint is not None and checkpoint.snapshot.covers(self._points[key]):
            names = self._boards.names()
            if await self._writer.ready(contest, generation.name, self._database.name, names):
                log.info("a board is live", board=contest.board.name, season=contest.season)
                self._points.pop(key)

    async def _begin_load(
        self, connection: asyncpg.Connection, source: Source, targets: list[tuple[Contest, str]]
    ) -> BoardLoad:
        # Earlier loads end first: from then on nobody else writes these generations for this database.
        load = BoardLoad(secrets.token_hex(6), self._database.name, targets, self._writer)
        await load.begin()
        for contest, _ in targets:
            FOLLOWER_LOADS.labels(contest.board.name, self._database.name).inc()

        # The checkpoint that the load will end with is taken before its first chunk.
        load.checkpoint = (await self._here(connection, source)).dump()
        log.info("loading boards", database=self._database.name, boards=load.boards())
        return load

    async def _here(self, connection: asyncpg.Connection, source: Source) -> Checkpoint:
        """Everything that is visible now."""
        committed = await connection.fetchval(SQL["mark"])
        return Checkpoint(source, Snapshot.parse(await connection.fetchval(SQL["snapshot"])), committed)

    async def _load_chunk(self, connection: asyncpg.Connection, load: BoardLoad) -> None:
        contests = [contest for contest, _ in load.targets]
        started = time.monotonic()
        rows = await connection.fetch(SQL["scan"], *load.after, CHUNK, *stored_score_arguments(contests))
        players = [ranked_player_of(row, contests) for row in rows]
        if time.monotonic() - started > OLDEST_READ_SECONDS:
            return
        fine = await load.write(players, last=len(rows) < CHUNK)
        if not fine or len(rows) < CHUNK:
            self._load, self._looked = None, 0.0
