"""What the supervisor needs to know about a server that it runs."""

from typing import Protocol

from gameserver.stack.processes.process import Process


class Child(Protocol):
    """A server under a name, as one process at a time."""

    name: str
    what: str
    """Its kind and version, for people."""
    process: Process

    @property
    def address(self) -> str:
        """Where clients reach it."""

    async def wait_for_earlier_run(self) -> None:
        """Wait until the processes of an earlier run have ended, and lock the folder. Raises StackError."""

    async def check(self) -> None:
        """Raises StackError if something prevents a start."""

    async def start(self) -> None:
        """Start it and wait until it is ready. Raises StackError; a cancelled start is cleaned up by `stop`."""

    async def stop(self) -> None:
        """End it, within its own deadline."""

    def kill(self) -> None:
        """End it at once."""
