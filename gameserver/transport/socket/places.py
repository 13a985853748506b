"""How many sockets an address and a node may have open, and how many of an address may not have said hello yet.

An address whose sockets have to be ended again and again, for what they send or leave unread, gets no new ones for
BARRED_SECONDS: each new one could be flooded anew before its limits notice.

Law: a place is taken before the upgrade is answered, and given back when the socket has ended, however it ends. An
address is the client's, also behind trusted proxies; a back end and exempt networks count for the node alone.
"""

import contextlib
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from gameserver.commands.pacing import ActionPacing
from gameserver.rules.errors import RateLimited, Unavailable
from gameserver.telemetry import denied

RETRY_SECONDS = 1.0
BARRED_SECONDS = 10.0
MOST_BARRED = 10_000
"""Addresses; beyond it all are forgotten."""


@dataclass(frozen=True, slots=True)
class SocketLimits:
    """Sockets open at a time."""

    per_node: int
    per_address: int
    without_hello_per_address: int
    ended_per_address: ActionPacing
    """Of those that had to be ended."""


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

    def note_ended(self) -> None:
        """The socket had to be ended for what it sends, or leaves unread."""
        if self.address is not None:
            self._places.note_ended(self.address)


class SocketPlaces:
    """One per node."""

    def __init__(self, limits: SocketLimits) -> None:
        self._limits = limits
        self._open = 0
        self._by_address: Counter[str] = Counter()
        self._silent: Counter[str] = Counter()
        self._barred: dict[str, float] = {}
        """Until when, on the clock of `time.monotonic`."""

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

    def note_ended(self, address: str) -> None:
        """Counts a socket that had to be ended."""
        try:
            self._limits.ended_per_address.spend(address)
        except RateLimited:
            if len(self._barred) >= MOST_BARRED:
                self._barred.clear()
            self._barred[address] = time.monotonic() + BARRED_SECONDS

    def _require_room(self, address: str | None) -> None:
        limits = self._limits
        if address is not None and (until := self._barred.get(address)) is not None:
            if (seconds := until - time.monotonic()) > 0:
                denied("ended_sockets_per_address").inc()
                raise RateLimited("Too many sockets of this address had to be ended.", retry_after=seconds)
            del self._barred[address]
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
