"""What sockets make a node hold: bytes that their clients haven't read, and requests that aren't answered yet.

Law: a socket, all sockets of an address and all of the node hold at most what the settings say. A socket beyond its own
bound is closed as too slow. Beyond one of the others the sockets that hold most are cut, without a closing frame that
nobody would read, until SHARE of the bound is left: so the memory is free at once, and others go on. Sockets that hold
nothing cost nothing here.
"""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from gameserver.telemetry import denied

SHARE = 0.875


@dataclass(frozen=True, slots=True)
class MemoryLimits:
    """Bytes that are held at a time."""

    per_socket: int
    per_address: int
    per_node: int


class MemoryHolder(Protocol):
    """A socket."""

    @property
    def address(self) -> str | None:
        """What it is counted by; None where only the node counts it."""

    def held(self) -> int:
        """Bytes that the node holds for it now."""

    def end_slow(self) -> None:
        """Closes it as too slow."""

    def cut(self) -> None:
        """Drops the connection and all that waits for it."""


class HeldMemory:
    """One per node."""

    def __init__(self, limits: MemoryLimits) -> None:
        self._limits = limits
        self._sizes: dict[MemoryHolder, int] = {}
        self._total = 0
        self._by_address: Counter[str] = Counter()

    @property
    def total(self) -> int:
        """Bytes of all sockets, as far as they were noted."""
        return self._total

    def note(self, socket: MemoryHolder) -> None:
        """Counts what the socket holds now; closes it, or cuts those that hold most, if that is too much."""
        size, address = socket.held(), socket.address
        self._count(socket, size)
        if size > self._limits.per_socket:
            denied("held_bytes_per_socket").inc()
            socket.end_slow()
        if address is not None and self._by_address[address] > self._limits.per_address:
            self._shed("held_bytes_per_address", self._of(address), self._limits.per_address)
        if self._total > self._limits.per_node:
            self._shed("held_bytes_per_node", list(self._sizes), self._limits.per_node)

    def forget(self, socket: MemoryHolder) -> None:
        """The socket has ended."""
        self._count(socket, 0)

    def _of(self, address: str) -> list[MemoryHolder]:
        return [socket for socket in self._sizes if socket.address == address]

    def _shed(self, limit: str, sockets: Collection[MemoryHolder], most: int) -> None:
        """Cuts those of the sockets that hold most. What was noted of them may be old: most clients have read since."""
        for socket in sockets:
            self._count(socket, socket.held())
        total = sum(self._sizes.get(socket, 0) for socket in sockets)
        if total <= most:
            return
        for socket in sorted(sockets, key=lambda each: -self._sizes.get(each, 0)):
            if total <= most * SHARE:
                return
            total -= self._sizes.get(socket, 0)
            self._count(socket, 0)
            denied(limit).inc()
            socket.cut()

    def _count(self, socket: MemoryHolder, size: int) -> None:
        change = size - self._sizes.pop(socket, 0)
        if size:
            self._sizes[socket] = size
        self._total += change
        if (address := socket.address) is not None:
            self._by_address[address] += change
            if not self._by_address[address]:
                del self._by_address[address]
