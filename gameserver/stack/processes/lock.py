"""A lock on a server's folder, which is held exactly as long as the processes that were started under it live.

It is a file lock (flock), which belongs to an open file. The child inherits that file and passes it on to its own
children, so the lock is free when the last of them has ended, however they ended, and not earlier.
"""

import asyncio
import fcntl
import os
from pathlib import Path

from gameserver.stack.errors import StackError

_POLL_SECONDS = 0.05


class FolderLock:
    """The lock file `path`, whose folder is made when it is missing."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    @property
    def descriptor(self) -> int:
        """The open file, for a child to inherit. Raises StackError when the lock isn't held."""
        if self._descriptor is None:
            raise StackError(f"{self.path} isn't locked.")
        return self._descriptor

    def acquire(self) -> bool:
        """Lock without waiting; False if another process holds it, True if this one does already.

        Raises StackError if the file can't be written.
        """
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
        if not _is_file(descriptor, self.path):
            os.close(descriptor)
            return False  # another process removed it meanwhile: the next attempt makes a new one
        self._descriptor = descriptor
        return True

    async def wait(self, seconds: float, holder: str) -> None:
        """Lock as soon as the processes of an earlier run have ended. Raises StackError, naming `holder`."""
        end = asyncio.get_running_loop().time() + seconds
        while not self.acquire():
            if asyncio.get_running_loop().time() > end:
                raise StackError(f"{holder} still runs from an earlier start and hasn't ended within {seconds:g} s.")
            await asyncio.sleep(_POLL_SECONDS)

    def release(self) -> None:
        """Unlock for this process; children that inherited the lock keep it."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def remove(self) -> None:
        """Unlocks, and removes the file unless another process, or a child, has it locked. Raises StackError."""
        if self.acquire():
            self.path.unlink(missing_ok=True)
            self.release()


def _is_file(descriptor: int, path: Path) -> bool:
    """Whether an open file is the one that has this name."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False
