"""Valkey (or Redis) as a child process, with an append-only file that is synced to disk once a second."""

import asyncio
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

from pydantic import SecretStr

from gameserver.stack.processes import ports
from gameserver.stack.processes.process import Launch
from gameserver.stack.servers import binaries, folders
from gameserver.stack.servers.managed import ManagedServer

HOST = "127.0.0.1"
_READY_SECONDS = 120
"""It loads its data first."""
_ANSWER_SECONDS = 2
_ANSWER = b"+OK\r\n+PONG\r\n"


@dataclass(eq=False, kw_only=True)
class RedisServer(ManagedServer):
    """One instance: its data folder, and the process that runs on it."""

    data: Path
    port: int
    password: SecretStr
    stop_seconds: float = 15
    what: str = field(default="Valkey", init=False)
    _port_setting: ClassVar[str] = "redis.embedded.port"

    def __post_init__(self) -> None:
        self._manage(f"Valkey {self.name}", self.data.with_name(self.data.name + ".lock"))

    @property
    def url(self) -> str:
        return f"redis://:{quote(self.password.get_secret_value(), safe='')}@{HOST}:{self.port}/0"

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    async def check(self) -> None:
        """Raises StackError if the program is missing or too old, or the data folder or the port can't be used."""
        await asyncio.to_thread(binaries.require_new_enough, binaries.valkey_server())
        folders.provide_own(self.data)
        ports.require_free(HOST, self.port, self._port_setting)

    async def _start_process(self) -> None:
        await self.check()
        more = await self._role()
        launch = Launch(
            argv=(str(binaries.valkey_server()), "-"),
            cwd=self.data,
            env={"PATH": os.defpath, "LC_ALL": "C"},
            lock=self._lock,
            orphaned=signal.SIGTERM,
            stdin=self._configuration(more).encode(),
        )
        self.process.start(launch)
        await self.process.until(self._answers, _READY_SECONDS)

    async def _role(self) -> tuple[str, ...]:
        """Lines of configuration that follow from its part in replication, as it is when the server starts."""
        return ()

    def _configuration(self, more: Sequence[str]) -> str:
        """Goes to stdin, so that the password is neither in a file nor on the command line."""
        return "\n".join(
            (
                f"bind {HOST}",
                f"port {self.port}",
                f"requirepass {quoted(self.password.get_secret_value())}",
                "dir ./",
                "appendonly yes",
                "appendfsync everysec",
                "aof-load-truncated yes",
                'save ""',
                "maxmemory-policy noeviction",
                *more,
                "",
            )
        )

    async def _answers(self) -> bool:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                reader, writer = await asyncio.open_connection(HOST, self.port)
                try:
                    writer.write(f"AUTH {quoted(self.password.get_secret_value())}\r\nPING\r\n".encode())
                    return await reader.readexactly(len(_ANSWER)) == _ANSWER
                finally:
                    writer.close()
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            return False


def quoted(text: str) -> str:
    """One word of the configuration and of an inline command."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
