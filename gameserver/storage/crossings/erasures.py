"""Players that were erased after the moment to which a database went back: names and texts of them are there again.

Law: the audit log of the control database tells it. An erasure reaches rows of others, too, so it is undone in part
also where the player itself lies elsewhere: every one counts that deleted its player, however it ended. An order that
was refused erased nobody, and of one whose end isn't known only a person can tell. What was erased again is known by
its entry's details, the line of the restored database: one that goes back once more has another line, or
was started again since.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import orjson

from gameserver.storage.crossings.past import SQL, by_keys, reading
from gameserver.storage.postgres.database import Database


@dataclass(frozen=True, slots=True)
class UndoneErasure:
    """The erasure of a player that began at this moment; `is_sure` is whether it deleted the player."""

    player_id: int
    at: datetime
    is_sure: bool = True


@dataclass(frozen=True, slots=True)
class RestoredLine:
    """A database as it is now: its timeline, and since when it runs, by its own clock."""

    database: str
    timeline: int
    started: datetime

    @property
    def details(self) -> Mapping[str, object]:
        """What the audit log says of an erasure that is made again for it."""
        return {"restored": self.database, "timeline": self.timeline}


async def line_of(database: Database) -> RestoredLine:
    """Raises DatabaseUnavailable."""
    async with reading(database) as connection:
        row = await connection.fetchrow(SQL["line"])
    return RestoredLine(database.name, row["timeline"], row["started"])


async def undone_erasures(
    control: Database, since: datetime, line: RestoredLine, clocks_apart: timedelta
) -> Sequence[UndoneErasure]:
    """Those since then but for players who were erased again, in the order in which they began.

    Raises DatabaseUnavailable.
    """
    undone, sure, again = dict[int, datetime](), set[int](), set[int]()
    async with reading(control) as connection:
        async for rows in by_keys(connection, "erasures", [0], since):
            for row in rows:
                if not (row["happened"] or row["doubtful"]):
                    continue
                player_id = int(row["player"])
                undone.setdefault(player_id, row["at"])
                if row["happened"]:
                    sure.add(player_id)
                is_later = row["at"] > line.started + clocks_apart
                if row["complete"] and is_later and orjson.loads(row["details"]) == line.details:
                    again.add(player_id)
    left = {player_id: at for player_id, at in undone.items() if player_id not in again}
    return [UndoneErasure(player_id, at, player_id in sure) for player_id, at in left.items()]
