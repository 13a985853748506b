"""What the databases say of players' places, read for a check."""

import time
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field

from gameserver.storage import tables
from gameserver.storage.boards.layout import Contest
from gameserver.storage.boards.ranked import RankedPlayer
from gameserver.storage.boards.rows import ranked_player_of, stored_score_arguments
from gameserver.storage.ids import slot_of
from gameserver.storage.postgres import statements
from gameserver.storage.postgres.database import Database
from gameserver.storage.slots.slot_map import Slots

SQL = statements.load(__package__, "check.sql")
BEGINNING = (-1, -1)
"""Before every slot and id."""


@dataclass(slots=True)
class Truth:
    """The places of some players, the slots that were owned, and when each database was read, in ms of its ledger.

    `began` is when this was first read, by the monotonic clock.
    """

    places: dict[int, RankedPlayer] = field(default_factory=dict)
    slots: set[int] = field(default_factory=set)
    read_at: dict[str, int] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)


async def read_truth(slots: Slots, contest: Contest, ids: Iterable[int]) -> Truth:
    """Each database in one snapshot. Raises DatabaseUnavailable."""
    truth = Truth()
    wanted = list(ids)
    arguments = ([slot_of(player_id) for player_id in wanted], wanted, *stored_score_arguments([contest]))
    for database in slots.databases("players"):
        async with database.driver_snapshot() as driver:
            owned = await driver.fetchrow(SQL["owned"])
            rows = await driver.fetch(SQL["places"], *arguments)
        truth.slots |= set(owned["slots"])
        truth.read_at[database.name] = int(owned["at"].timestamp() * 1000)
        truth.places |= {row["id"]: ranked_player_of(row, [contest]) for row in rows}
    return truth


async def owned_slots(database: Database) -> list[int]:
    """The slots of players that a database owns. Raises DatabaseUnavailable."""
    async with database.snapshot() as connection:
        owned = tables.players_owned_slots.c
        return list((await connection.execute(owned.slot.table.select().where(owned.owned))).scalars())


async def player_ids(
    database: Database, chunk: int, after: tuple[int, int] = BEGINNING, most: int | None = None
) -> AsyncIterator[list[int]]:
    """Ids of a database's players behind `after`, in chunks; `most` in all. Raises DatabaseUnavailable."""
    count = 0
    while most is None or count < most:
        wanted = chunk if most is None else min(chunk, most - count)
        async with database.driver_snapshot() as driver:
            rows = await driver.fetch(SQL["ids"], *after, wanted)
        if rows:
            yield [row["id"] for row in rows]
        count += len(rows)
        if len(rows) < wanted:
            return
        after = rows[-1]["slot"], rows[-1]["id"]
