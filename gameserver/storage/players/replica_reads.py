"""Reads of players that a replica may answer, and the primary wherever it may not.

Law: no player is shown older than the version that its reader names, whatever the replica's state: what is older on
the replica, or missing, or of a slot that isn't owned there, is read from the primary. So a replica never says that a
player doesn't exist, and a frozen one costs time, never truth. It is asked only while it is young enough, with one
query for all who ask at a time, over connections of its own; one that is slow or gone is left at once, for
REST_SECONDS. Sessions, bans and whatever is written are judged by primaries alone. A read that allows no age at
all gets what a primary shows that has proved since then that it leads (`proofs`).
"""

import asyncio
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from gameserver.coalescing import Bounds
from gameserver.rules.errors import GameError, Overloaded
from gameserver.rules.player import Player
from gameserver.storage.players.players import Players
from gameserver.storage.players.proofs import ProvenReads
from gameserver.storage.players.reader import PlayerState, Reader
from gameserver.storage.postgres.connections import READERS
from gameserver.storage.postgres.replica import Replica, Replicas
from gameserver.storage.slots.slot_map import SlotMoved
from gameserver.telemetry import players_read

BOUNDS = Bounds(flights=READERS, together=1000, waiting=5000, seconds=0.25)
ANSWER_SECONDS = 0.5
"""How long a query to a replica may take, with connecting; then the primary is asked."""
REST_SECONDS = 5.0
"""For how long a replica that didn't answer isn't asked."""
NO_VERSIONS: Mapping[int, int] = MappingProxyType({})


class Wanted(NamedTuple):
    """How new the players of a read must be.

    `versions`: no player is shown older than the version here; `has_token` if the reader knows of its own writes by
    them. `max_staleness`: the age in seconds that it allows; None if it doesn't say, 0 for a read that is proved.
    """

    versions: Mapping[int, int] = NO_VERSIONS
    has_token: bool = False
    max_staleness: float | None = None


class StalenessLimits(NamedTuple):
    """In seconds: how old a replica that is asked may be at the most, and for reads that say nothing (0: not asked)."""

    longest: float
    plain: float


class ReplicaReads:
    """One per node; `run` owns its connections until it is cancelled."""

    def __init__(self, players: Players, replicas: Replicas, limits: StalenessLimits) -> None:
        self._players, self._replicas, self._limits = players, replicas, limits
        self._proven = ProvenReads(players)
        self._readers: dict[Replica, Reader] = {}
        self._tasks: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            for reader in self._readers.values():
                tasks.create_task(reader.run())
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                await self._proven.close()

    async def find(self, player_id: int, wanted: Wanted) -> Player | None:
        """The player of this id, if it exists. Raises DatabaseUnavailable, Overloaded."""
        if wanted.max_staleness == 0:
            return (await self.read([player_id], wanted)).get(player_id)
        if not (oldest := self._oldest(wanted)):
            players_read("primary").inc()
            return await self._players.find(player_id)
        for database, own in self._players.by_database([player_id]).items():
            for player in await self._on_replica(database, own, wanted.versions, oldest):
                return player
        return await self._players.find(player_id)

    async def read(self, ids: Sequence[int], wanted: Wanted) -> dict[int, Player]:
        """The players of these ids that exist, in their order. Raises DatabaseUnavailable, Overloaded."""
        if not (oldest := self._oldest(wanted)):
            players_read("primary").inc(len(ids))
            return await (self._proven if wanted.max_staleness == 0 else self._players).read(ids)
        parts = self._players.by_database(ids).items()
        asked = (self._on_replica(database, own, wanted.versions, oldest) for database, own in parts)
        found = {player.id: player for part in await asyncio.gather(*asked) for player in part}
        if missing := [player_id for player_id in ids if player_id not in found]:
            found |= await self._players.read(missing)
        return {player_id: found[player_id] for player_id in ids if player_id in found}

    async def _on_replica(
        self, database: str, ids: Sequence[int], versions: Mapping[int, int], oldest: float
    ) -> Sequence[Player]:
        """Those of the players that a replica of the database has, as new as they are wanted."""
        if (replica := self._replicas.fresh(database, oldest)) is None:
            players_read("primary").inc(len(ids))
            return ()
        players = [player for player in await self._asked(replica, ids) if player.version >= versions.get(player.id, 0)]
        players_read("replica").inc(len(players))
        players_read("primary instead").inc(len(ids) - len(players))
        return players

    async def _asked(self, replica: Replica, ids: Sequence[int]) -> list[Player]:
        """Those of the players that the replica has; it is left if it doesn't answer."""
        questions: list[asyncio.Future[PlayerState | None]] = []
        reader = self._reader(replica)
        try:
            for player_id in ids:
                questions.append(reader.ask(player_id))
        except Overloaded as error:  # it is slow
            replica.rest(error.detail, REST_SECONDS)
        states = await asyncio.gather(*questions, return_exceptions=True)
        for state in states:
            if isinstance(state, BaseException) and not isinstance(state, GameError | SlotMoved):
                raise state
        if fault := next((state for state in states if isinstance(state, GameError)), None):
            replica.rest(fault.detail, REST_SECONDS)
        return [state.player for state in states if isinstance(state, PlayerState)]

    def _oldest(self, wanted: Wanted) -> float:
        """The age in seconds up to which a replica may answer; 0 for none."""
        longest, plain = self._limits
        allowed = (longest if wanted.has_token else plain) if wanted.max_staleness is None else wanted.max_staleness
        return min(allowed, longest)

    def _reader(self, replica: Replica) -> Reader:
        reader = self._readers.get(replica)
        if reader is None:
            reader = self._readers[replica] = Reader(replica.database, BOUNDS, ANSWER_SECONDS)
            if self._tasks is not None:
                self._tasks.create_task(reader.run())
        return reader
