"""The players of many sign-ups, made in one transaction with their ledger rows and passwords; and refusals."""

from collections.abc import Sequence
from datetime import datetime
from operator import itemgetter
from typing import NamedTuple

import asyncpg

from gameserver.storage.postgres import statements

SQL = statements.load(__package__, "birth_writes.sql")


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


async def write_births(connection: asyncpg.Connection, births: Sequence[Birth]) -> Sequence[bool]:
    """Whether each was written: not where a row of its id exists, also a void one. Raises driver errors.

    Of several births of one id in a batch the first one counts.
    """
    first = sorted({birth[:2]: birth for birth in reversed(births)}.values(), key=itemgetter(0, 1))
    rows = await connection.fetch(SQL["make"], *zip(*((*birth[:9], birth.void) for birth in first), strict=True))
    ids = {row["id"] for row in rows}
    # Compared as objects: the same sign-up may come twice in one batch.
    made = {id(birth) for birth in first if birth.player_id in ids}
    if recorded := [birth for birth in first if id(birth) in made]:
        columns = [*zip(*recorded, strict=True)]
        await connection.execute(SQL["record"], *columns[:3], *columns[8:12], columns[13])
    return [id(birth) in made for birth in births]
