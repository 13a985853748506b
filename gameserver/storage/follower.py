"""Follows one database's ledger for the boards and the connected: one node at a time, by a lock on the database.

Law: a checkpoint lies with what was derived up to it and moves in the same call, so a follower that is killed,
frozen or doubled can neither lose nor undo anything: whoever comes after goes on from there, and a call that expects
another checkpoint changes nothing. A generation without a checkpoint (a new board, or a Redis that lost its memory)
is loaded from the tables, chunk by chunk between turns of following, from a snapshot taken before the first chunk.
"""

import asyncio
import secrets
import time
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

import asyncpg
import structlog
from redis.exceptions import RedisError

from gameserver.rules.errors import PresenceUnavailable
from gameserver.rules.player import Player
from gameserver.storage import sql
from gameserver.storage.batch import player_of
from gameserver.storage.databases import LOST, Database, Link
from gameserver.storage.ids import slot_of
from gameserver.storage.leaderboards import BoardWriter, Generation
from gameserver.storage.presence import CHANGED, Presence
from gameserver.storage.snapshot import Checkpoint, Snapshot, Source
from gameserver.telemetry import FOLLOWED, FOLLOWER_AGE, FOLLOWER_LOADS

log = structlog.get_logger()

SQL = sql.load("follower.sql")
TURN_SECONDS = 0.05
QUIET_SECONDS = 0.05
STATE_SECONDS = 0.5
RETRY_SECONDS = 0.5
SUMMARIZE_SECONDS = 2.0
TRANSACTIONS = 2_000
"""Transaction ids read in one turn, at the most; fewer after a turn that brought more than CHUNK players."""
FEW_TRANSACTIONS = 16
"""Read in the first turn: each of a bulk load's may have written thousands of players."""
CHUNK = 5_000
"""Players loaded in one turn, and written in one call, at the most."""
SETTINGS = {
    "enable_seqscan": "off",
    "plan_cache_mode": "force_custom_plan",
    "lock_timeout": "100",
    "statement_timeout": "5000",
    "idle_session_timeout": "10000",
}


@dataclass(slots=True)
class _Load:
    """A load under way: the generations that it fills, where it stands, and the checkpoint to start from."""

    name: str
    generations: Mapping[str, str]
    checkpoint: Checkpoint
    after: tuple[int, int] = (-1, -1)


class Follower:
    """Keeps the boards up to one database; `databases` tells the names of all that the boards rank."""

    def __init__(
        self, database: Database, writer: BoardWriter, presence: Presence, databases: Callable[[], list[str]]
    ) -> None:
        self._database = database
        self._writer = writer
        self._presence = presence
        self._databases = databases
        self._load: _Load | None = None
        self._generations: dict[str, list[Generation]] = {}
        self._span = FEW_TRANSACTIONS
        self._looked = self._summarized = 0.0
        self._current = time.monotonic()

    async def run(self) -> None:
        """Follows until cancelled; whatever it loses it finds again."""
        FOLLOWER_AGE.labels(self._database.name).set_function(lambda: time.monotonic() - self._current)
        link = Link(self._database, SETTINGS)
        try:
            while True:
                try:
                    await self._follow(link)
                except (*LOST, asyncpg.PostgresError, RedisError, PresenceUnavailable) as error:
                    log.warning("follower", database=self._database.name, error=f"{type(error).__name__}: {error}")
                    link.drop()
                    self._span = max(1, self._span // 4)
                await asyncio.sleep(RETRY_SECONDS)
        finally:
            await link.close()

    async def _follow(self, link: Link) -> None:
        """Turn after turn while it holds the lock; returns when another node does."""
        connection = await link.open()
        if not await connection.fetchval(SQL["lock"]):
            self._current = time.monotonic()
            return
        row = await connection.fetchrow(SQL["identity"])
        source = Source(row["system"], row["timeline"], secrets.token_hex(6))
        self._load, self._looked = None, 0.0
        while True:
            await self._look(connection, source)
            busy = await self._turn(connection, source)
            if self._load is not None:
                await self._load_chunk(connection, self._load)
            elif not busy:
                await asyncio.sleep(QUIET_SECONDS)
            await asyncio.sleep(TURN_SECONDS)

    async def _look(self, connection: asyncpg.Connection, source: Source) -> None:
        """Asks Redis now and then which generations there are, and begins to load those that have no checkpoint."""
        if time.monotonic() - self._looked < STATE_SECONDS:
            return
        self._looked = time.monotonic()
        empty: dict[str, str] = {}
        for board in self._writer.boards:
            await self._writer.swap(board, self._databases())
            self._generations[board] = []
            for found in await self._writer.generations(board, self._database.name):
                if not found.checkpoint:
                    empty[board] = found.name
                elif Checkpoint.load(found.checkpoint).on(source) is not None:
                    self._generations[board].append(found)
                else:
                    await self._writer.renew(board, unusable=found.name)
        if self._load is None or self._load.generations != empty:
            self._load = await self._begin(connection, source, empty) if empty else None

    async def _begin(self, connection: asyncpg.Connection, source: Source, generations: Mapping[str, str]) -> _Load:
        load = secrets.token_hex(6)
        for board, generation in generations.items():
            await self._writer.begin_load(board, generation, self._database.name, load)
            FOLLOWER_LOADS.labels(board, self._database.name).inc()
        committed = await connection.fetchval(SQL["mark"])
        snapshot = Snapshot.parse(await connection.fetchval(SQL["snapshot"]))
        log.info("loading boards", database=self._database.name, boards=list(generations))
        return _Load(load, generations, Checkpoint(source, snapshot, committed))

    async def _load_chunk(self, connection: asyncpg.Connection, load: _Load) -> None:
        rows = await connection.fetch(SQL["scan"], *load.after, CHUNK)
        players, gone = [player_of(row) for row in rows], _gone(rows)
        name = self._database.name
        for board, generation in load.generations.items():
            fine = await self._writer.apply_load(board, generation, name, load.name, players, gone)
            if fine and len(rows) < CHUNK:
                fine = await self._writer.end_load(board, generation, name, load.name, load.checkpoint.dump())
            if not fine:
                self._load, self._looked = None, 0.0
                return
        if len(rows) < CHUNK:
            log.info("boards loaded", database=name, boards=list(load.generations))
            self._load, self._looked = None, 0.0
        else:
            load.after = (slot_of(players[-1].id), players[-1].id)

    async def _turn(self, connection: asyncpg.Connection, source: Source) -> bool:
        """Reads what has become visible since the oldest checkpoint and writes it everywhere; whether there is more."""
        followed = [(board, found) for board, all_found in self._generations.items() for found in all_found]
        checkpoints = [Checkpoint.load(found.checkpoint).on(source) for _, found in followed]
        since = min((each for each in checkpoints if each), key=lambda each: each.snapshot.age(), default=None)
        if since is None:
            return False
        reached, changes, more = await self._changed(connection, since)
        if reached != since:
            players = [player_of(row) for row in changes]
            await self._presence.announce(CHANGED, [(each.id, each.version) for each in players])
            text = reached.dump()
            written = await self._apply(followed, text, players, _gone(changes))
            for (board, found), fine in zip(followed, written, strict=True):
                if fine:
                    self._generations[board][self._generations[board].index(found)] = Generation(found.name, text)
                else:
                    self._looked = 0.0
            FOLLOWED.labels(self._database.name).inc(len(players))
            await self._summarize(connection)
        self._current = time.monotonic()
        return more

    async def _apply(
        self,
        followed: Sequence[tuple[str, Generation]],
        checkpoint: str,
        players: Sequence[Player],
        gone: Container[int],
    ) -> list[bool]:
        """Writes part by part, and moves the checkpoints with the last one."""
        name, done = self._database.name, 0
        while len(players) - done > CHUNK:
            await self._writer.apply(followed, name, "", players[done : done + CHUNK], gone)
            done += CHUNK
        return await self._writer.apply(followed, name, checkpoint, players[done:], gone)

    async def _changed(
        self, connection: asyncpg.Connection, since: Checkpoint
    ) -> tuple[Checkpoint, list[asyncpg.Record], bool]:
        """How far it has read now, the players who have changed, and whether there is more."""
        last = since.snapshot
        until = last.xmax + min(self._span, TRANSACTIONS)
        rows = await connection.fetch(SQL["changed"], last.lowest, until, last.xmax, list(last.running))
        changes = [row for row in rows if row["id"] is not None]
        self._span = min(self._span * 2, TRANSACTIONS) if len(changes) <= CHUNK else max(1, self._span // 2)
        seen = Snapshot.parse(rows[0]["snapshot"])
        committed = max([since.committed, *(row["txid"] for row in changes)])
        reached = Checkpoint(since.source, seen.until(until), committed)
        return reached, changes, bool(changes) or seen.xmax > until

    async def _summarize(self, connection: asyncpg.Connection) -> None:
        if time.monotonic() - self._summarized < SUMMARIZE_SECONDS:
            return
        self._summarized = time.monotonic()
        try:
            await connection.execute(SQL["summarize"])
        except asyncpg.LockNotAvailableError:
            log.debug("the ledger's index is being vacuumed", database=self._database.name)


def _gone(rows: Iterable[asyncpg.Record]) -> set[int]:
    """Who of them was deleted."""
    return {row["id"] for row in rows if row["deleted"]}
