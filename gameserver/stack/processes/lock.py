"""A claim on a server's data: a file lock that lives exactly as long as the processes started under it.

The lock belongs to an open file, which the child inherits and hands on to its own children. So it is free
again when the last of them is gone, however they died, and not a moment earlier.
"""

import asyncio
import fcntl
import os
from pathlib import Path

from gameserver.stack.errors import StackError


class FolderLock:
    """The claim in the lock file `path`, whose folder is made when it is missing."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    @property
    def descriptor(self) -> int:
        """The open file, for a child to inherit. Raises StackError when nothing is claimed."""
        if self._descriptor is None:
            raise StackError(f"{self.path} isn't claimed.")
        return self._descriptor

    def take(self) -> bool:
        """Claim, unless somebody else has; again is harmless. Raises StackError if it can't be written."""
        if self._descriptor is not None:
            return True
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StackError(f"The lock file {self.path} can't be written: {error.strerror}.") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    async def wait(self, seconds: float, holder: str) -> None:
        """Claim as soon as the processes of an earlier run are gone. Raises StackError, naming `holder`."""
        end = asyncio.get_running_loop().time() + seconds
        while not self.take():
            if asyncio.get_running_loop().time() > end:
                raise StackError(f"{holder} still runs from an earlier start and hasn't ended within {seconds:g} s.")
            await asyncio.sleep(0.05)

    def release(self) -> None:
        """Let go; children that inherited the claim keep it."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
