"""How many sockets an address and a node may have open, and how many of an address may not have said hello yet.

Law: a place is taken before the upgrade is answered, and given back when the socket has ended, however it ends. An
address is the client's, also behind trusted proxies; a back end and exempt networks count for the node alone.
"""

import contextlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from gameserver.rules.errors import RateLimited, Unavailable
from gameserver.telemetry import denied

RETRY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class SocketLimits:
    """Sockets open at a time."""

    per_node: int
    per_address: int
    without_hello_per_address: int


class SocketPlace:
    """What one socket counts for; `address` is None where only the node counts it."""

    __slots__ = ("_places", "_silent", "address")

    def __init__(self, places: "SocketPlaces", address: str | None) -> None:
        self.address, self._places, self._silent = address, places, address is not None

    def greet(self) -> None:
        """The socket has said hello, or has ended."""
        if self._silent and self.address is not None:
            self._silent = False
            self._places.count_greeted(self.address)


class SocketPlaces:
    """One per node."""

    def __init__(self, limits: SocketLimits) -> None:
        self._limits = limits
        self._open = 0
        self._by_address: Counter[str] = Counter()
        self._silent: Counter[str] = Counter()

    @contextlib.contextmanager
    def take(self, address: str | None) -> Iterator[SocketPlace]:
        """A place while the block runs. Raises RateLimited for the address, Unavailable for the node."""
        self._require_room(address)
        self._open += 1
        if address is not None:
            self._by_address[address] += 1
            self._silent[address] += 1
        place = SocketPlace(self, address)
        try:
            yield place
        finally:
            place.greet()
            self._open -= 1
            if address is not None:
                _subtract(self._by_address, address)

    def count_greeted(self, address: str) -> None:
        """One of the address's sockets no longer has to say hello."""
        _subtract(self._silent, address)

    def _require_room(self, address: str | None) -> None:
        limits = self._limits
        if address is not None and self._by_address[address] >= limits.per_address:
            denied("sockets_per_address").inc()
            raise RateLimited("This address has as many sockets as it may have.", retry_after=RETRY_SECONDS)
        if address is not None and self._silent[address] >= limits.without_hello_per_address:
            denied("sockets_without_hello_per_address").inc()
            raise RateLimited("Too many sockets of this address haven't said hello.", retry_after=RETRY_SECONDS)
        if self._open >= limits.per_node:
            denied("sockets_per_node").inc()
            raise Unavailable("This node has as many sockets as it may have.", retry_after=RETRY_SECONDS)


def _subtract(counts: Counter[str], address: str) -> None:
    counts[address] -= 1
    if not counts[address]:
        del counts[address]
