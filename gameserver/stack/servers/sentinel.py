"""Valkey servers of which one is the master, and the Sentinels that decide which.

Law: a server never starts as a master when the Sentinels name another one, so one that was away comes back as a
replica, and what was written meanwhile stays. A master without a replica that is in step refuses writes, so a master on
the losing side of a cut takes no sessions that would be gone.
"""

import asyncio
import os
import re
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from pydantic import SecretStr

from gameserver.stack.processes import ports
from gameserver.stack.processes.process import Launch
from gameserver.stack.servers import binaries, datafolder, folders
from gameserver.stack.servers.managed import ManagedServer
from gameserver.stack.servers.redis import HOST, RedisServer, quoted

FILE = "sentinel.conf"
_READY_SECONDS = 30
_ANSWER_SECONDS = 2
LAG_SECONDS = 3
"""How long a master goes on taking writes when its replicas are silent."""
DOWN_MS = 4000
"""After how much silence a Sentinel takes a server for lost: longer than a lost master goes on taking writes."""
_FAILOVER_MS = 10000


@dataclass(frozen=True)
class SentinelPlaces:
    """The Sentinels of one master."""

    master: str
    ports: Sequence[int]
    password: SecretStr
    files: Sequence[Path]
    """Where each keeps what it knows."""

    def written_port(self) -> int | None:
        """The port of the server that they wrote down last, by the election that they counted; None before that.

        Raises OSError.
        """
        texts = [file.read_text("utf-8") for file in self.files if file.exists()]
        found = [
            (_number(text, f"config-epoch {self.master} "), _number(text, f"monitor {self.master} {HOST} "))
            for text in texts
        ]
        return max(found, default=(0, 0))[1] or None

    async def master_port(self) -> int | None:
        """The port of the server that most of them name; None while they don't agree or don't answer."""
        named = await asyncio.gather(*(self._named_by(port) for port in self.ports))
        chosen = max(set(named), key=named.count)
        return chosen if named.count(chosen) > len(self.ports) // 2 else None

    async def _named_by(self, port: int) -> int | None:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                reader, writer = await asyncio.open_connection(HOST, port)
                try:
                    writer.write(f"AUTH {quoted(self.password.get_secret_value())}\r\n".encode())
                    writer.write(f"SENTINEL GET-MASTER-ADDR-BY-NAME {self.master}\r\n".encode())
                    # +OK, *2, the host's length, the host, the port's length, the port
                    lines = [await reader.readline() for _ in range(6)]
                finally:
                    writer.close()
        except (OSError, TimeoutError):
            return None
        return int(lines[5]) if lines[1].startswith(b"*2") and lines[5].strip().isdigit() else None


def _number(text: str, setting: str) -> int:
    """The number behind a setting in the file of a Sentinel, 0 if it isn't there."""
    match = re.search(rf"^sentinel {re.escape(setting)}(\d+)", text, re.MULTILINE)
    return int(match[1]) if match else 0


@dataclass(eq=False, kw_only=True)
class WatchedRedis(RedisServer):
    """One of the servers that Sentinels watch."""

    first_master: int
    """The port of the server that is the master while the Sentinels have neither said nor written otherwise."""
    sentinels: SentinelPlaces
    _port_setting: ClassVar[str] = "redis.sentinels.servers"

    async def _role(self) -> tuple[str, ...]:
        # While no majority of them answers, as after all were killed, what they wrote down still holds.
        written = await asyncio.to_thread(self.sentinels.written_port)
        master = await self.sentinels.master_port() or written or self.first_master
        return (
            f"masterauth {quoted(self.password.get_secret_value())}",
            "repl-diskless-sync-delay 0",
            "min-replicas-to-write 1",
            f"min-replicas-max-lag {LAG_SECONDS}",
            *([] if master == self.port else [f"replicaof {HOST} {master}"]),
        )


@dataclass(eq=False, kw_only=True)
class SentinelServer(ManagedServer):
    """One Sentinel; it keeps what it knows in its own file."""

    data: Path
    port: int
    first_master: int
    master_password: SecretStr
    sentinels: SentinelPlaces
    stop_seconds: float = 5
    what: str = field(default="Sentinel", init=False)

    def __post_init__(self) -> None:
        self._manage(f"Sentinel {self.name}", self.data.with_name(self.data.name + ".lock"))

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    async def check(self) -> None:
        """Raises StackError if the program is missing or too old, or the data folder or the port can't be used."""
        await asyncio.to_thread(binaries.require_new_enough, binaries.valkey_server())
        folders.provide_own(self.data)
        ports.require_free(HOST, self.port, "redis.sentinels.ports")

    async def _start_process(self) -> None:
        await self.check()
        file = self.data / FILE
        if not self._is_whole(file):
            made = file.with_suffix(".new")
            datafolder.write_secret(made, self._configuration(), None)
            datafolder.sync(made)
            datafolder.put_in_place(made, file)
        launch = Launch(
            argv=(str(binaries.valkey_server()), str(file), "--sentinel"),
            cwd=self.data,
            env={"PATH": os.defpath, "LC_ALL": "C"},
            lock=self._lock,
            orphaned=signal.SIGTERM,
        )
        self.process.start(launch)
        await self.process.until(self._listens, _READY_SECONDS)

    def _is_whole(self, file: Path) -> bool:
        """Whether it names the master: a Sentinel adds to a file that was cut off, but never this."""
        return file.exists() and f"sentinel monitor {self.sentinels.master} " in file.read_text("utf-8", "replace")

    def _configuration(self) -> str:
        """What it starts with; later it writes what it learned into the same file."""
        name, password = self.sentinels.master, quoted(self.sentinels.password.get_secret_value())
        majority = len(self.sentinels.ports) // 2 + 1
        lines = (
            f"port {self.port}",
            f"bind {HOST}",
            f"dir {self.data}",
            f"requirepass {password}",
            f"sentinel sentinel-pass {password}",
            f"sentinel monitor {name} {HOST} {self.first_master} {majority}",
            f"sentinel auth-pass {name} {quoted(self.master_password.get_secret_value())}",
            f"sentinel down-after-milliseconds {name} {DOWN_MS}",
            f"sentinel failover-timeout {name} {_FAILOVER_MS}",
            f"sentinel parallel-syncs {name} 1",
        )
        return "\n".join(lines) + "\n"

    async def _listens(self) -> bool:
        try:
            _, writer = await asyncio.open_connection(HOST, self.port)
        except OSError:
            return False
        writer.close()
        return True
