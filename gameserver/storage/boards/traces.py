"""Links a follower's writes to the traced actions that they brought to the boards."""

import time

import asyncpg

from gameserver.storage.boards.ledger_reader import SQL, LedgerChanges
from gameserver.storage.ledger.snapshot import Checkpoint
from gameserver.tracing.contexts import SpanContext
from gameserver.tracing.tracer import Tracer

FORGET_SECONDS = 60.0
"""How often what is older than some minutes is deleted; a follower that is farther behind links nothing."""


class BoardTraces:
    """One per follower of a node that traces."""

    def __init__(self, tracer: Tracer, database: str) -> None:
        self._tracer, self._database = tracer, database
        self._forgot = 0.0

    async def note(self, connection: asyncpg.Connection, since: Checkpoint, changes: LedgerChanges, began: int) -> None:
        """After what changed since a checkpoint was written; `began`, in Unix ns, is when reading it began."""
        times = began, time.time_ns()
        last, reached = since.snapshot, changes.reached.snapshot
        rows = await connection.fetch(SQL["traced"], last.lowest, reached.xmax, last.xmax, list(last.running))
        # Only what the changes were read with: a later transaction's turn comes.
        actions = [SpanContext.load(row["context"]) for row in rows if row["txid"] not in reached.running]
        self._tracer.board_write(self._database, times, len(changes.players), actions)
        await self._forget(connection)

    async def _forget(self, connection: asyncpg.Connection) -> None:
        if time.monotonic() - self._forgot > FORGET_SECONDS:
            self._forgot = time.monotonic()
            await connection.execute(SQL["forget_traced"])
