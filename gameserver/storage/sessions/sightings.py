"""When players were last seen, by their sessions, to the hour: gathered by each node, written once for each hour.

Law: a player is seen when it signs up or in, or when a session of it is checked, which happens to one in use every half
minute, also to that of a socket. So every action and read counts, and what operators and letters do to it doesn't. A
sighting never lowers what is stored, and changes neither a player's version nor its ledger. It is written within two
minutes; a node that ends forgets what it hasn't written yet. A row that is locked, of a database that is away, or of a
slot that moves is left to the next turn.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from sqlalchemy import text

from gameserver.storage.ids import slot_of
from gameserver.storage.postgres import statements
from gameserver.storage.postgres.database import Database, one_by_one
from gameserver.storage.sessions.memory import REMEMBERED
from gameserver.storage.slots.slot_map import Slots

SQL = {name: text(statement) for name, statement in statements.load(__package__, "sightings.sql").items()}
HOUR = 3600
CHUNK = 500
"""Players written in one transaction."""
PAUSE_SECONDS = 0.05
"""Between two of them: at the beginning of an hour everyone who is connected is seen anew."""


class Sightings:
    """One per node. What it remembers is bounded: when that is full, a player is noted again at its next check."""

    def __init__(self, clock: Callable[[], float], most: int = REMEMBERED) -> None:
        """`clock` gives Unix seconds."""
        self._clock, self._most = clock, most
        self._noted: dict[int, int] = {}
        self._due: dict[int, dict[int, int]] = {}
        self._waiting = 0

    def note(self, player_id: int) -> None:
        """A player is here now."""
        hour = int(self._clock()) // HOUR
        if self._noted.get(player_id) == hour or self._waiting >= self._most:
            return
        self._noted.pop(player_id, None)
        self._noted[player_id] = hour
        if len(self._noted) > self._most:
            del self._noted[next(iter(self._noted))]
        of_slot = self._due.setdefault(slot_of(player_id), {})
        self._waiting += player_id not in of_slot
        of_slot[player_id] = hour

    def take(self, owns: Callable[[int], bool]) -> dict[int, int]:
        """Some players of slots that `owns` says yes to, by the hours in which they were seen; they are due no more."""
        taken: dict[int, int] = {}
        for slot in [slot for slot in self._due if owns(slot)]:
            of_slot = self._due[slot]
            while of_slot and len(taken) < CHUNK:
                player_id, hour = of_slot.popitem()
                taken[player_id] = hour
            if not of_slot:
                del self._due[slot]
            if len(taken) == CHUNK:
                break
        self._waiting -= len(taken)
        return taken

    def put_back(self, players: Mapping[int, int]) -> None:
        """These are due again, unless they have been seen since."""
        for player_id, hour in players.items():
            of_slot = self._due.setdefault(slot_of(player_id), {})
            self._waiting += player_id not in of_slot
            of_slot.setdefault(player_id, hour)


async def write(slots: Slots, sightings: Sightings, database: Database) -> int:
    """Writes what is due on one database; how many players it was. Raises DatabaseUnavailable, OutcomeUnknown."""
    count, unwritten = 0, dict[int, int]()
    try:
        while taken := sightings.take(lambda slot: slots.owner("players", slot) is database):
            unwritten |= taken
            left = await _write(database, taken)
            unwritten = {each: hour for each, hour in unwritten.items() if each not in taken or each in left}
            count += len(taken) - len(left)
            await asyncio.sleep(PAUSE_SECONDS)
    finally:
        sightings.put_back(unwritten)
    return count


async def _write(database: Database, players: Mapping[int, int]) -> set[int]:
    """Which players were left for later."""
    arguments = {
        "slots": [slot_of(player_id) for player_id in players],
        "ids": [*players],
        "hours": [datetime.fromtimestamp(hour * HOUR, UTC) for hour in players.values()],
    }
    async with database.fenced("players") as connection:
        await one_by_one(connection)
        return set((await connection.execute(SQL["write"], arguments)).scalars().all())
