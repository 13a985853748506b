"""Reads of players that no later primary can contradict, for readers who allow no age at all.

Law: what is returned is at least as new as every write that was acknowledged before it was asked for, on whichever
server, and is never lost where commits wait for a standby. A primary that was cut off or hung goes on answering those
that are connected until something stops it, while its successor acknowledges writes. So after the read the same server
must commit a mark, and a standby that confirms it followed no other primary then. If the primary became another one
meanwhile, or a slot moved, it is read again. Costs one commit for all who ask a database at about the same time, and is
refused while no standby is there, when nothing could be written either. Without standbys it proves nothing more than a
plain read: then there is no successor.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence

from gameserver.coalescing import Bounds, Coalescer
from gameserver.rules.errors import DatabaseUnavailable, OutcomeUnknown
from gameserver.rules.player import Player
from gameserver.storage.players.players import Players
from gameserver.storage.postgres.coalescing import overloaded
from gameserver.storage.postgres.connections import PROOFS
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.driver import LEAVE_A_MARK, Lineage
from gameserver.storage.postgres.faults import translated
from gameserver.storage.postgres.link import Link
from gameserver.storage.slots.slot_map import MOVED_SECONDS

PROOF_SECONDS = 2.0
"""For how long a standby is waited for."""
BOUNDS = Bounds(flights=PROOFS, together=5_000, waiting=20_000, seconds=5.0)
Leaders = Mapping[Database, tuple[str | None, Lineage | None]]
"""By database: address and lineage of the primary that all connections lead to."""


class ProvenReads:
    """One per node."""

    def __init__(self, players: Players) -> None:
        self._players = players
        self._provers: dict[str, _Prover] = {}

    async def read(self, ids: Sequence[int]) -> dict[int, Player]:
        """The players of these ids that exist. Raises DatabaseUnavailable, Overloaded."""
        deadline = time.monotonic() + MOVED_SECONDS
        while time.monotonic() < deadline:
            leaders = self._leaders(ids)
            found = await self._players.read(ids)
            await asyncio.gather(*(self._prover(database).prove() for database in leaders))
            # Whatever leads to an earlier primary is cut before another one is used: equal means the same server.
            if self._leaders(ids) == leaders:
                return found
        raise DatabaseUnavailable("The primary changes again and again.", retry_after=1)

    async def close(self) -> None:
        """Ends the proofs under way."""
        await asyncio.gather(*(prover.close() for prover in self._provers.values()))

    def _prover(self, database: Database) -> "_Prover":
        prover = self._provers.get(database.name)
        if prover is None:
            prover = self._provers[database.name] = _Prover(database)
        return prover

    def _leaders(self, ids: Sequence[int]) -> Leaders:
        owners = self._players.owners(ids)
        return {database: (database.dialer.primary, database.dialer.lineage) for database in owners}


class _Prover:
    """Of one database: the proofs that are asked for while one is under way share the next one."""

    def __init__(self, database: Database) -> None:
        self._database, self._link = database, Link(database, {})
        self._asked: Coalescer[None, None] = Coalescer(self._prove, BOUNDS, overloaded)

    def prove(self) -> asyncio.Future[None]:
        """Ends when a standby has confirmed that it follows this primary, or with DatabaseUnavailable.

        Raises Overloaded at once.
        """
        proof = self._asked.ask(None)
        proof.add_done_callback(_retrieve)
        return proof

    async def close(self) -> None:
        await self._asked.close()
        await self._link.close()

    async def _prove(self, questions: Sequence[None]) -> Sequence[None]:
        try:
            async with asyncio.timeout(PROOF_SECONDS):
                with translated(self._database.name):
                    connection = await self._link.open()
                    await connection.execute(f"select {LEAVE_A_MARK}")
        except (TimeoutError, OutcomeUnknown) as error:
            # Whatever waits for the standby is cancelled before the connection ends: the server wouldn't notice that.
            await self._link.close()
            raise DatabaseUnavailable("No standby confirms that the primary still leads.", retry_after=1) from error
        except BaseException:
            self._link.drop()
            raise
        return [None] * len(questions)


def _retrieve(proof: asyncio.Future[None]) -> None:
    """A failure that nobody waits for, since another database was refused first, isn't reported."""
    if not proof.cancelled():
        proof.exception()
