"""Valkey (or Redis) as a child process, which writes what it is told to an append-only file once a second."""

import asyncio
import os
import signal
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from gameserver.stack.errors import StackError
from gameserver.stack.processes import ports
from gameserver.stack.processes.lock import FolderLock
from gameserver.stack.processes.process import Launch, Process
from gameserver.stack.servers import binaries

HOST = "127.0.0.1"
_LEFTOVER_SECONDS = 15
_READY_SECONDS = 120
_ANSWER = b"+OK\r\n+PONG\r\n"


@dataclass(eq=False, kw_only=True)
class RedisServer:
    """One instance: its data folder, and the process that runs on it, if one does."""

    name: str
    data: Path
    port: int
    password: str = field(repr=False)
    log: Path
    stop_seconds: float = 15
    what: str = field(default="Valkey", init=False)
    process: Process = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.process = Process(f"Valkey {self.name}", self.log)
        self._claim = FolderLock(self.data.with_name(self.data.name + ".lock"))

    @property
    def url(self) -> str:
        return f"redis://:{quote(self.password, safe='')}@{HOST}:{self.port}/0"

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    async def claim(self) -> None:
        """Wait until an earlier run's processes have left the data alone. Raises StackError."""
        await self._claim.wait(_LEFTOVER_SECONDS, self.process.name)

    async def check(self) -> None:
        """Raises StackError if the program, the data folder or the port stands in the way of a start."""
        binaries.valkey_server()
        try:
            self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StackError(f"The data folder {self.data} can't be used: {error}.") from None
        if not os.access(self.data, os.R_OK | os.W_OK | os.X_OK):
            raise StackError(f"The data folder {self.data} isn't writable.")
        ports.require_free(HOST, self.port, "redis.embedded.port")

    async def start(self) -> None:
        """Start it and wait until it has loaded its data. Raises StackError; it then isn't running.

        A start that is cancelled leaves it to `stop`.
        """
        if self.process.pid is not None:
            raise StackError(f"{self.process.name} is already running.")
        try:
            await self.claim()
            await self.check()
            self.process.start(self._launch())
            await self.process.until(self._answers, _READY_SECONDS)
        except Exception:
            self.kill()
            raise
        finally:
            self._claim.release()

    async def stop(self) -> None:
        """It writes what it still holds and ends; it is killed when that takes longer than `stop_seconds`."""
        await self.process.stop(signal.SIGTERM, self.stop_seconds)
        self._claim.release()

    def kill(self) -> None:
        """SIGKILL, as when the machine fails."""
        self.process.kill()

    def _launch(self) -> Launch:
        return Launch(
            argv=(str(binaries.valkey_server()), "-"),
            cwd=self.data,
            env={"PATH": os.defpath, "LC_ALL": "C"},
            claim=self._claim,
            orphaned=signal.SIGTERM,
            stdin=self._configuration().encode(),
        )

    def _configuration(self) -> str:
        """Given on stdin, so that the password is neither in a file nor on the command line."""
        return "\n".join(
            (
                f"bind {HOST}",
                f"port {self.port}",
                f"requirepass {_quoted(self.password)}",
                "dir ./",
                "appendonly yes",
                "appendfsync everysec",
                "aof-load-truncated yes",
                'save ""',
                "maxmemory-policy noeviction",
                "",
            )
        )

    async def _answers(self) -> bool:
        try:
            async with asyncio.timeout(2):
                reader, writer = await asyncio.open_connection(HOST, self.port)
                try:
                    writer.write(f"AUTH {_quoted(self.password)}\r\nPING\r\n".encode())
                    return await reader.readexactly(len(_ANSWER)) == _ANSWER
                finally:
                    writer.close()
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            return False


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
