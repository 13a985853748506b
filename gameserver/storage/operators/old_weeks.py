"""Whether a database still has weeks of the ledger that nodes should have dropped."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import asyncpg

from gameserver.storage.ledger.retention import SQL, weeks_before
from gameserver.storage.operators.condition import Symptom

SLACK = timedelta(days=2)
"""Nodes look every hour; what is a little late isn't worth a word."""


async def symptoms(connection: asyncpg.Connection, keep: timedelta) -> Sequence[Symptom]:
    """What is overdue, and why, as far as the database knows. Raises what the driver does."""
    due = await connection.fetchval(SQL["due"], datetime.now(UTC), keep)
    names = [row["name"] for row in await weeks_before(connection, due - SLACK)]
    if not names:
        return ()
    return list(_symptoms(names, moving=await connection.fetchval(SQL["moving"])))


def _symptoms(names: Sequence[str], *, moving: bool) -> Iterator[Symptom]:
    weeks = "a week" if len(names) == 1 else f"{len(names)} weeks"
    problem = f"{weeks} of its ledger should have been dropped: {', '.join(names[:5])}"
    if moving:
        remedy = "finish the move of slots that is under way (`gameserver slots status`): nothing is dropped meanwhile"
    else:
        remedy = "see that a node runs, and why weeks stay by its log: undelivered mail or unsettled items hold them up"
    yield Symptom("warning", problem, remedy)
