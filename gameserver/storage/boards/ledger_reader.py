"""Reads what has become visible in a database's ledger since a checkpoint, in as large steps as go well."""

import time
from collections.abc import Sequence
from typing import NamedTuple

import asyncpg
import structlog

from gameserver.storage.boards.layout import Contest
from gameserver.storage.boards.ranked import RankedPlayer
from gameserver.storage.boards.rows import ranked_player_of, stored_score_arguments
from gameserver.storage.ledger.snapshot import Checkpoint, Snapshot
from gameserver.storage.postgres import statements

log = structlog.get_logger()

SQL = statements.load(__package__, "follower.sql")
TRANSACTIONS = 2_000
"""Transaction ids read in one turn, at the most; fewer after a turn that brought more than MANY_PLAYERS."""
FEW_TRANSACTIONS = 16
"""Read in the first turn: each of a bulk load's may have written thousands of players."""
MANY_PLAYERS = 5_000
TEND_SECONDS = 1.0


class LedgerChanges(NamedTuple):
    """The players that changed up to `reached`, and the ledger's time in ms; `more` says that there is more now."""

    reached: Checkpoint
    players: list[RankedPlayer]
    as_of: int
    more: bool


class LedgerReader:
    """One per follower."""

    def __init__(self, database: str) -> None:
        self._database = database
        self._span = FEW_TRANSACTIONS
        self._tended = 0.0

    def fail(self) -> None:
        """After a failure, which may come of too large a step: the next ones are smaller."""
        self._span = max(1, self._span // 4)

    async def read(
        self, connection: asyncpg.Connection, since: Checkpoint, contests: Sequence[Contest]
    ) -> LedgerChanges:
        # Ids above the last snapshot's xmax, and those that were running then: the rest was visible before.
        last = since.snapshot
        until = last.xmax + min(self._span, TRANSACTIONS)
        arguments = (last.lowest, until, last.xmax, list(last.running), *stored_score_arguments(contests))
        rows = await connection.fetch(SQL["changed"], *arguments)
        changes = [row for row in rows if row["id"] is not None]

        # The next step is larger, unless this one brought more than a turn should.
        self._span = min(self._span * 2, TRANSACTIONS) if len(changes) <= MANY_PLAYERS else max(1, self._span // 2)

        # Only what was read counts as reached, though the snapshot may reach farther.
        seen = Snapshot.parse(rows[0]["snapshot"])
        committed = max([since.committed, *(row["txid"] for row in changes)])
        reached = Checkpoint(since.source, seen.until(until), committed)
        as_of = int(rows[0]["at"].timestamp() * 1000)
        return LedgerChanges(reached, [ranked_player_of(row, contests) for row in changes], as_of, seen.xmax > until)

    async def tend(self, connection: asyncpg.Connection) -> None:
        """Now and then, while the ledger grows: its index learns its newest pages, and plans its new size.

        Without the first every turn would read all of those pages; planning at every turn would take half of its time.
        """
        if time.monotonic() - self._tended < TEND_SECONDS:
            return
        self._tended = time.monotonic()
        try:
            await connection.execute(SQL["summarize"])
        except asyncpg.LockNotAvailableError:
            log.debug("the ledger's index is being vacuumed", database=self._database)
        await connection.execute(SQL["forget_plans"])
