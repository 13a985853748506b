"""The players of many sign-ups, made in one transaction with their ledger rows and passwords; and refusals.

Law: under a command id that is older than the window and BEHIND, by the database's own clock, no player is made,
whatever was frozen on the way here. So a void row, which keeps a sign-up from its id, isn't needed for longer
(ledger/retention.py). A player isn't made by other rules than those that the database has in force at its birth.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from operator import itemgetter
from typing import NamedTuple

import asyncpg

from gameserver.rules.errors import CommandExpired, RulesChanging
from gameserver.storage.ledger.window import Window, expired
from gameserver.storage.postgres import statements

SQL = statements.load(__package__, "birth_writes.sql")
BEHIND = timedelta(hours=1)
"""How far the clocks of a database and of the nodes, which check the window, may be apart."""


class Birth(NamedTuple):
    """A player to be made, or a `void` row that keeps its id from being made, with a ledger row: its `seed`, and its
    arguments and outcome as JSON."""

    slot: int
    player_id: int
    command_id: str
    name: str
    class_name: str
    level: int
    hp: int
    exp: int
    at: datetime
    args: str
    outcome: str
    password_hash: str | None = None
    void: bool = False
    seed: int = 0
    edition: int = 0
    rules: int | None = None


async def write_births(
    connection: asyncpg.Connection, births: Sequence[Birth], window: Window
) -> Sequence[bool | CommandExpired | RulesChanging]:
    """Whether each was written: not where a row of its id exists, also a void one. Raises driver errors.

    Of several births of one id in a batch the first one counts.
    """
    first = sorted({birth[:2]: birth for birth in reversed(births)}.values(), key=itemgetter(0, 1))
    oldest = window.back + int(BEHIND.total_seconds() * 1000)
    columns = zip(*((*birth[:9], birth.void, birth.edition) for birth in first), strict=True)
    rows = await connection.fetch(SQL["make"], *columns, oldest)
    ids = {row["id"] for row in rows if row["expired_at"] is None and not row["other_rules"]}
    refused: dict[int, CommandExpired | RulesChanging] = {
        row["id"]: RulesChanging(retry_after=1) if row["other_rules"] else expired(row["expired_at"])
        for row in rows
        if row["id"] not in ids
    }
    # Compared as objects: the same sign-up may come twice in one batch.
    made = {id(birth) for birth in first if birth.player_id in ids}
    if recorded := [birth for birth in first if id(birth) in made]:
        its = [*zip(*recorded, strict=True)]
        await connection.execute(SQL["record"], *its[:3], *its[8:12], its[13], its[15])
    return [refused.get(birth.player_id) or id(birth) in made for birth in births]
