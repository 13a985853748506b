"""What the supervisor needs to know of a server that it runs."""

from typing import Protocol

from gameserver.stack.processes.process import Process


class Child(Protocol):
    """A server under a name, as one process at a time."""

    name: str
    what: str
    process: Process

    @property
    def address(self) -> str:
        """Where it is reached."""

    async def claim(self) -> None:
        """Wait for what is left of an earlier run. Raises StackError."""

    async def check(self) -> None:
        """Raises StackError if something stands in the way of a start."""

    async def start(self) -> None:
        """Start it and wait until it is ready. Raises StackError; a cancelled start leaves it to `stop`."""

    async def stop(self) -> None:
        """End it, within its own deadline."""

    def kill(self) -> None:
        """End it at once."""
