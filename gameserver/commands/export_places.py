"""How many exports a node has under way, for how long, and how many parts of those of players by themselves it reads.

Law: of exports by players themselves one of a player, PER_ADDRESS of an address and PLACES of all are under way at a
time, each for LONGEST_SECONDS at the most. All of them together read PARTS_A_SECOND, in the order in which they ask, so
that however many there are, they take no more from the databases than one does. Between its parts an export has neither
a connection nor a snapshot. Exports by operators, of players and of the audit log, have OF_OPERATORS places of their
own, for as long.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator

from gameserver.rules.errors import Overloaded, RateLimited

PLACES = 32
PER_ADDRESS = 4
"""Of these, so that the players of one address, as slowly as they may read, don't keep all others waiting."""
OF_OPERATORS = 4
"""Exports of players and of the audit log together; rankings have a place of their own."""
PARTS_A_SECOND = 20
"""One of 100 rows of the ledger costs a node some 3 ms of a core, and Postgres 1."""
LONGEST_SECONDS = 900.0


class ExportPlaces:
    """One per node."""

    def __init__(self) -> None:
        self._under_way: set[int] = set()
        self._by_address: Counter[str] = Counter()
        self._free_at = 0.0

    @contextlib.asynccontextmanager
    async def place(self, player_id: int, address: str | None) -> AsyncIterator[None]:
        """`address` is None where it isn't limited.

        Raises RateLimited, Overloaded, and TimeoutError after LONGEST_SECONDS.
        """
        if player_id in self._under_way:
            raise RateLimited("This player has an export under way.", retry_after=10)
        if address is not None and self._by_address[address] >= PER_ADDRESS:
            raise RateLimited("This address has as many exports under way as it may have.", retry_after=30)
        if len(self._under_way) >= PLACES:
            raise Overloaded("This node has too many exports under way.", retry_after=30)
        self._under_way.add(player_id)
        if address is not None:
            self._by_address[address] += 1
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                yield
        finally:
            self._under_way.discard(player_id)
            if address is not None:
                self._by_address -= Counter((address,))  # which drops those without any

    async def turn(self) -> None:
        """Waits until the next part may be read."""
        now = asyncio.get_running_loop().time()
        at = max(now, self._free_at)
        self._free_at = at + 1 / PARTS_A_SECOND
        if at > now:
            await asyncio.sleep(at - now)


class OperatorPlaces:
    """One per node: for exports by operators that are read page by page."""

    def __init__(self) -> None:
        self._under_way = 0

    @contextlib.asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Raises Overloaded, and TimeoutError after LONGEST_SECONDS."""
        if self._under_way >= OF_OPERATORS:
            raise Overloaded("This node has as many exports for operators under way as it may have.", retry_after=10)
        self._under_way += 1
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                yield
        finally:
            self._under_way -= 1
