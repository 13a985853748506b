"""Whether a database still has weeks of the ledger that nodes should have dropped, and what holds up all of them."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import asyncpg

from gameserver.storage.ledger.retention import DEBTS, SQL, weeks_before
from gameserver.storage.operators.condition import Symptom

HOLDING_UP = {
    "rewards": (DEBTS["rewards"], "see `gameserver seasons list`, and why it isn't closed by the nodes' log"),
    "campaigns": (DEBTS["campaigns"], "see what it waits for (`gameserver campaigns list`), or revoke it"),
}
"""By the statement that finds the oldest of its kind."""
SLACK = timedelta(days=2)
"""Nodes look every hour; what is a little late isn't worth a word."""


async def symptoms(connection: asyncpg.Connection, keep: timedelta) -> Sequence[Symptom]:
    """What is overdue, and why, as far as the database knows. Raises what the driver does."""
    due = await connection.fetchval(SQL["due"], datetime.now(UTC), keep)
    names = [row["name"] for row in await weeks_before(connection, due - SLACK)]
    if not names:
        return ()
    return list(_symptoms(names, moving=await connection.fetchval(SQL["moving"])))


async def symptoms_of_control(connection: asyncpg.Connection, keep: timedelta) -> Sequence[Symptom]:
    """What the control database has that holds up weeks on all others. Raises what the driver does."""
    due = await connection.fetchval(SQL["due"], datetime.now(UTC), keep) - SLACK
    return [
        Symptom("warning", f"{what}, from {since:%Y-%m-%d}, holds up the dropping of the ledger's weeks since", remedy)
        for query, (what, remedy) in HOLDING_UP.items()
        if (since := await connection.fetchval(SQL[query])) is not None and since < due
    ]


def _symptoms(names: Sequence[str], *, moving: bool) -> Iterator[Symptom]:
    weeks = "a week" if len(names) == 1 else f"{len(names)} weeks"
    problem = f"{weeks} of its ledger should have been dropped: {', '.join(names[:5])}"
    if moving:
        remedy = "finish the move of slots that is under way (`gameserver slots status`): nothing is dropped meanwhile"
    else:
        remedy = (
            "see that a node runs, and why weeks stay by its log: undelivered mail, unsettled items, a season that"
            " isn't rewarded or a campaign that isn't over hold them up, and so does a database that is away"
        )
    yield Symptom("warning", problem, remedy)
