"""What one address may take of a node's own port: connections at a time, new connections, requests.

Law: nothing is counted for trusted proxies, whose connections carry many clients, nor for exempt networks. Requests
that a proxy passes on are counted by the client that it names, as sockets, sign-ups and sign-ins are: by the pace of
HAProxy's windows, so that an HAProxy in front, which counts for all nodes, lets nothing through that is refused here.
An address is remembered while it has connections, or until its burst is available again, so memory is bounded.
"""

import asyncio
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from gameserver.busyness import Busyness
from gameserver.commands.pacing import ActionPacing
from gameserver.rules.errors import RateLimited
from gameserver.rules.pacing import Pace
from gameserver.telemetry import denied
from gameserver.transport.callers import addresses
from gameserver.transport.callers.addresses import UNKNOWN, Networks
from gameserver.transport.callers.denials import DenialWatch
from gameserver.transport.callers.turns import AddressTurns

CONNECTIONS = "connections_per_address"
RETRY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class SourceLimits:
    """Of each address: connections at a time, the pace of new ones, of requests, and of those that a proxy passes on.

    `turn` is the seconds from one to the next of what it sends, at the least.
    """

    connections: int
    new_connections: Pace
    requests: Pace
    forwarded_requests: Pace
    turn: float


class Sources:
    """One per node."""

    def __init__(self, limits: SourceLimits, uncounted: Networks, denials: DenialWatch) -> None:
        self._denials = denials
        self._most, self._uncounted = limits.connections, uncounted
        self._connections: dict[Hashable, int] = {}
        self.turns = AddressTurns(limits.turn, Busyness().share)
        """Of requests and frames, by address."""
        self._new = ActionPacing(
            limits.new_connections,
            limit="new_connections_per_address",
            refused="Too many new connections from this address.",
        )
        limit, refused = "requests_per_address", "Too many requests from this address."
        self._requests = ActionPacing(limits.requests, limit=limit, refused=refused)
        self._forwarded = ActionPacing(limits.forwarded_requests, limit=limit, refused=refused)

    def connect(self, peer: str | None) -> str | None:
        """Counts a connection; returns what it is counted by, or None. Raises RateLimited."""
        address = addresses.parse(peer or "") or UNKNOWN
        if addresses.within(address, self._uncounted):
            return None
        source = addresses.counted(address)
        try:
            self._count(source)
        except RateLimited:
            self._denials.note(source)
            raise
        return source

    def _count(self, source: str) -> None:
        count = self._connections.get(source, 0)
        if count >= self._most:
            denied(CONNECTIONS).inc()
            raise RateLimited("Too many connections from this address.", retry_after=RETRY_SECONDS)
        self._new.spend(source)
        self._connections[source] = count + 1

    def disconnect(self, source: str) -> None:
        """Ends what `connect` counted."""
        count = self._connections[source] - 1
        if count:
            self._connections[source] = count
        else:
            del self._connections[source]

    def admit(self, source: str, player: Callable[[], int | None]) -> asyncio.Future[None] | None:
        """Counts a request on a connection; returns what to wait for, if anything. Raises RateLimited.

        `player` tells whose it is, if the node knows.
        """
        self._requests.spend(source)
        return self.turns.admit(source, player)

    def admit_forwarded(self, client: str, player: Callable[[], int | None]) -> asyncio.Future[None] | None:
        """The same of a request that a trusted proxy passes on for this client."""
        self._forwarded.spend(client)
        return self.turns.admit(client, player)

    def admit_unreadable(self, source: str) -> asyncio.Future[None] | None:
        """Counts what was sent instead of a request; returns what to wait for, if anything. Raises RateLimited."""
        try:
            return self.admit(source, lambda: None)
        except RateLimited:
            self._denials.note(source)
            raise
