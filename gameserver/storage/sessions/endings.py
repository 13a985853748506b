"""How a node ends the sessions that its sockets hold: as they are revoked, and as Postgres says every 30 s.

Law: a revocation that was read ends the session in this node's memory, on its sockets, and in Redis. After a gap in
the revocations, and after Redis was away, nothing that was known before is trusted: held sessions are checked again.
No check is waited for by those who read revocations, or by the checks of another database's players.
"""

import asyncio
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

import structlog

from gameserver.logs.outage import Outage
from gameserver.rules.errors import Unavailable
from gameserver.storage.redis.faults import LOST, described
from gameserver.storage.sessions.memory import RECHECK_SECONDS, Memory, Session
from gameserver.storage.sessions.revocations import EndedSession, Revocations
from gameserver.storage.sessions.store import SessionStore

log = structlog.get_logger()

READ_SECONDS = 0.25
"""How often the revocations are read."""
AT_A_TIME = 500
"""Held sessions checked in one call, at the most."""
DELETED_AGAIN = 1000
"""Sessions that a node deletes again after Redis was away: a replica in its place may lack the last moments."""


class Epochs(Protocol):
    """Below which epochs the sessions of players have ended."""

    async def epoch(self, player_id: int) -> int | None:
        """That of one player; None if it doesn't exist. Raises Unavailable."""

    async def epochs(self, ids: Iterable[int]) -> Mapping[int, int]:
        """Those of the players that exist. Raises Unavailable."""

    def by_database(self, ids: Iterable[int]) -> Mapping[str, Sequence[int]]:
        """The ids of players whose epochs are asked of the same database."""


class Holders(Protocol):
    """Those who hold sessions open on this node: its sockets."""

    def sessions(self) -> Sequence[Session]: ...
    def end_sessions(self, names: Sequence[str]) -> None: ...


class Endings:
    """One per node. `run` works until it is cancelled."""

    def __init__(self, store: SessionStore, revocations: Revocations, memory: Memory, epochs: Epochs) -> None:
        self._store, self._revocations, self._memory, self._epochs = store, revocations, memory, epochs
        self._to_delete: list[EndedSession] = []
        self._deleted: deque[EndedSession] = deque(maxlen=DELETED_AGAIN)
        self._outage = Outage("Redis can't be used", "Redis can be used again")
        self._unsure: dict[str, Session] = {}
        """Sessions that sockets held when revocations were missed, by name: to be checked again."""

    async def run(self, holders: Holders) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow(holders))
            group.create_task(self._recheck_for_ever(holders))
            group.create_task(self._check_for_ever(holders))

    async def _follow(self, holders: Holders) -> None:
        """Reads the revocations every READ_SECONDS."""
        while True:
            try:
                await self._read(holders)
                self._outage.answered()
                if self._memory.away:
                    # The server that is back may be a replica that lacks the last deletions.
                    self._to_delete += self._deleted
                    self._memory.away = False
                await self._delete()
            except LOST as error:
                self._memory.away = True
                self._outage.failed(described(error))
            await asyncio.sleep(READ_SECONDS)

    async def _read(self, holders: Holders) -> None:
        """Ends what was revoked since the last read; after a gap everything is uncertain."""
        more = True
        while more:
            started = time.monotonic()
            read = await self._revocations.read()
            if read.gap:
                log.info("all sessions are checked anew", remembered=len(self._memory))
                self._memory.clear()
                self._unsure = {session.name: session for session in holders.sessions()}
            names = [session.name for session in read.ended]
            self._memory.end(names)
            holders.end_sessions(names)
            self._to_delete += read.ended
            more = read.more
        self._memory.set_current(started)

    async def _delete(self) -> None:
        """What has ended; the node that announced it did so already, if it lived."""
        if self._to_delete:
            await self._store.delete_all(self._to_delete)
            self._deleted.extend(self._to_delete)
            self._to_delete.clear()

    async def _recheck_for_ever(self, holders: Holders) -> None:
        """After a gap: ends the held sessions that don't exist any more."""
        while True:
            await asyncio.sleep(READ_SECONDS)
            unsure = self._unsure  # another gap makes another one
            held = list(unsure.values())
            try:
                for part in _chunks(held):
                    holders.end_sessions(await self._store.missing(part))
            except LOST:
                continue  # the reading of revocations tells of it
            await self._check(held, holders, unsure)

    async def _check_for_ever(self, holders: Holders) -> None:
        """Ends the held sessions whose time or epoch is over, also while Redis is away and no revocation comes."""
        while True:
            await asyncio.sleep(RECHECK_SECONDS)
            held, now = list(holders.sessions()), self._memory.clock()
            holders.end_sessions([session.name for session in held if session.ends_at.timestamp() < now])
            await self._check(held, holders, {})

    async def _check(self, held: Sequence[Session], holders: Holders, unsure: dict[str, Session]) -> None:
        """Ends those whose epoch is over, as far as their databases answer; those checked are unsure no more."""
        by_player: dict[int, list[Session]] = {}
        for session in held:
            by_player.setdefault(session.player_id, []).append(session)
        parts = self._epochs.by_database(by_player).values()
        await asyncio.gather(
            *(self._check_part([each for id_ in ids for each in by_player[id_]], holders, unsure) for ids in parts)
        )

    async def _check_part(self, held: Sequence[Session], holders: Holders, unsure: dict[str, Session]) -> None:
        for part in _chunks(held):
            try:
                epochs = await self._epochs.epochs({session.player_id for session in part})
            except Unavailable as error:
                log.warning("epochs can't be looked at", sessions=len(held), error=error.detail)
                return
            over = [
                session.name for session in part if session.epoch < epochs.get(session.player_id, session.epoch + 1)
            ]
            self._memory.end(over)
            holders.end_sessions(over)
            for session in part:
                unsure.pop(session.name, None)
                if session.player_id in epochs:
                    self._memory.note(session.player_id)


def _chunks(held: Sequence[Session]) -> Iterator[Sequence[Session]]:
    return (held[first : first + AT_A_TIME] for first in range(0, len(held), AT_A_TIME))
