"""The ledger of a period, player by player, for those who look at what has happened.

Law: read-only and in bounded memory. A few players are read at a time, in a snapshot of their own that ends with their
rows, so no vacuum is held up for long and no lock is taken. A standby that had come as far as its primary when the
reading began is read instead of it. A slot that moves is read where it is owned at that moment; rows move with it.
"""

import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import asyncpg
import orjson

from gameserver.storage.postgres import statements
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.driver import DriverConnection
from gameserver.storage.postgres.faults import translated
from gameserver.storage.postgres.patience import TRANSACTION
from gameserver.storage.postgres.replica import Replicas
from gameserver.storage.slots.slot_map import Slots

SQL = statements.load(__package__, "periods.sql")
PLAYERS, ROWS = 50, 500
"""Players of a snapshot, and rows in memory at a time."""
MOVED_SECONDS = 10.0
FRESH_SECONDS = 3600.0
"""A standby that has been compared at all is younger than this; which is when the reading began."""
SETTINGS = {
    "idle_in_transaction_session_timeout": "60000",
    "statement_timeout": "120000",
    "lock_timeout": "3000",
    TRANSACTION: "1200000",
}
STATEMENT_SECONDS = 120.0


class Period(NamedTuple):
    """From `since` up to, without, `until`."""

    since: datetime
    until: datetime


class StartingPoint(NamedTuple):
    """What a player was before the period: its last first answer, and the JSON text of what rules remembered.

    `exp_reached_at` is when its EXP got their value; the oldest row that had it, if those before were dropped.
    """

    outcome: Mapping[str, Any]
    version: int
    data: str | None
    created_at: datetime
    exp_reached_at: datetime


class PeriodRow(NamedTuple):
    """A row of the ledger; one of a refused command has a negative seed. `args` and `outcome` are decoded."""

    player_id: int
    command_id: str
    action: str
    args: Any
    seed: int
    outcome: Mapping[str, Any]
    at: datetime
    rules: int | None
    """The number of the rulebook that made it, if a rulebook did and that is known."""


@dataclass(slots=True)
class PeriodPart:
    """Rows of some players, in order; `starts` are all that these have, and a player goes on in the next part."""

    starts: Mapping[int, StartingPoint]
    rows: Sequence[PeriodRow]


class Periods:
    """`sources` says, after a reading, which servers were read."""

    def __init__(self, slots: Slots, replicas: Replicas) -> None:
        self._slots, self._replicas = slots, replicas
        self.sources: set[str] = set()

    def slots(self) -> int:
        """How many slots there are to be read."""
        return self._slots.size("players")

    async def parts(self, period: Period, slots: Sequence[int]) -> AsyncGenerator[PeriodPart, None]:
        """The players with rows in the period, slot by slot, in the order of their ids. Raises DatabaseUnavailable."""
        await self._replicas.compare()
        async with AsyncExitStack() as stack:
            links = _Links(stack, self._replicas)
            for slot in slots:
                last: int | None = 0
                while last is not None:
                    connection, name, last_chunk = await self._chunk(links, period, slot, last)
                    self.sources.add(name)
                    if last_chunk:
                        with translated(name):
                            async with connection.transaction(isolation="repeatable_read", readonly=True):
                                async for part in _read(connection, period, slot, last_chunk):
                                    yield part
                    last = last_chunk[-1] if len(last_chunk) == PLAYERS else None

    async def _chunk(
        self, links: "_Links", period: Period, slot: int, after: int
    ) -> tuple[DriverConnection, str, Sequence[int]]:
        """The next players, and where they are; asks again while the slot moves."""
        deadline = time.monotonic() + MOVED_SECONDS
        while True:
            owner = self._slots.owner("players", slot)
            connection, name = await links.to(owner)
            with translated(name):
                chunk = await connection.fetchval(
                    SQL["chunk"], slot, *period, after, PLAYERS, timeout=STATEMENT_SECONDS
                )
            if chunk is not None:
                return connection, name, chunk
            links.give_up_standby(owner.name)
            await self._slots.moved(deadline)


class _Links:
    """A connection to each database that is read: to a standby that is fresh, or else to the primary."""

    def __init__(self, stack: AsyncExitStack, replicas: Replicas) -> None:
        self._stack, self._replicas = stack, replicas
        self._open: dict[str, tuple[DriverConnection, str]] = {}
        self._primaries: set[str] = set()

    def give_up_standby(self, database: str) -> None:
        """From now on the primary is asked: a standby shows a move of slots later."""
        self._primaries.add(database)

    async def to(self, owner: Database) -> tuple[DriverConnection, str]:
        """The connection, and the name of the server at its other end. Raises DatabaseUnavailable."""
        standby = None
        if owner.name not in self._primaries:
            standby = self._replicas.fresh(owner.name, FRESH_SECONDS)
        server = owner if standby is None else standby.database
        known = self._open.get(owner.name)
        if known is not None and (standby is not None or known[1] == owner.name):
            return known
        with translated(server.name):
            connection = await server.connect(SETTINGS)
        self._stack.callback(connection.terminate)
        self._open[owner.name] = connection, server.name
        return self._open[owner.name]


async def _read(
    connection: DriverConnection, period: Period, slot: int, players: Sequence[int]
) -> AsyncIterator[PeriodPart]:
    found = await connection.fetch(SQL["starts"], slot, period.since, players, timeout=STATEMENT_SECONDS)
    starts = {player_id: StartingPoint(orjson.loads(outcome), *others) for player_id, outcome, *others in found}
    cursor = await connection.cursor(SQL["rows"], slot, *period, players, timeout=STATEMENT_SECONDS)
    while rows := await cursor.fetch(ROWS, timeout=STATEMENT_SECONDS):
        yield PeriodPart(starts, [_row(row) for row in rows])


def _row(row: asyncpg.Record) -> PeriodRow:
    args, outcome = orjson.loads(row["args"]), orjson.loads(row["outcome"])
    values = row["player_id"], row["command_id"], row["action"], args, row["seed"], outcome, row["at"], row["rules"]
    return PeriodRow(*values)
