"""etcd as child processes: the store in which Patroni keeps who leads, while a majority of its members runs.

It listens on 127.0.0.1 alone and asks for no password: whoever has an account on this machine can reach it. Where that
isn't wanted, run etcd by itself with TLS and users (docs/failover.md).
"""

import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gameserver.stack.processes import ports
from gameserver.stack.processes.process import Launch
from gameserver.stack.servers import binaries, folders, local_http
from gameserver.stack.servers.managed import ManagedServer

_READY_SECONDS = 60
_HEARTBEAT_MS, _ELECTION_MS = 200, 2000
"""Longer than etcd's own, since several members share the disk of one machine."""


@dataclass(frozen=True)
class EtcdPlace:
    """Where one member listens."""

    name: str
    port: int
    peer_port: int

    @property
    def clients(self) -> str:
        return f"http://{local_http.HOST}:{self.port}"

    @property
    def peers(self) -> str:
        return f"http://{local_http.HOST}:{self.peer_port}"


@dataclass(eq=False, kw_only=True)
class EtcdServer(ManagedServer):
    """One member: its data folder, and the process that runs on it."""

    data: Path
    place: EtcdPlace
    members: Sequence[EtcdPlace]
    """All of them, with this one."""
    stop_seconds: float = 3
    """A leader offers its lead to members that stop, too, and waits for 9 s; what it acknowledged is on its disk."""
    what: str = field(default="etcd", init=False)

    def __post_init__(self) -> None:
        self._manage(f"etcd {self.name}", self.data.with_name(self.data.name + ".lock"))

    @property
    def address(self) -> str:
        return f"{local_http.HOST}:{self.place.port}"

    async def check(self) -> None:
        """Raises StackError if the program is missing, or the data folder or a port can't be used."""
        binaries.etcd()
        folders.provide_own(self.data)
        ports.require_free(local_http.HOST, self.place.port, "etcd.members.port")
        ports.require_free(local_http.HOST, self.place.peer_port, "etcd.members.peer_port")

    async def _start_process(self) -> None:
        await self.check()
        launch = Launch(
            argv=(str(binaries.etcd()), *self._options()),
            cwd=self.data,
            env={"PATH": os.defpath, "LC_ALL": "C"},
            lock=self._lock,
            orphaned=signal.SIGTERM,
        )
        self.process.start(launch)
        await self.process.until(self._has_majority, _READY_SECONDS)

    def _options(self) -> list[str]:
        options = {
            "name": self.place.name,
            "data-dir": str(self.data),
            "listen-client-urls": self.place.clients,
            "advertise-client-urls": self.place.clients,
            "listen-peer-urls": self.place.peers,
            "initial-advertise-peer-urls": self.place.peers,
            "initial-cluster": ",".join(f"{member.name}={member.peers}" for member in self.members),
            "initial-cluster-state": "new",
            "heartbeat-interval": str(_HEARTBEAT_MS),
            "election-timeout": str(_ELECTION_MS),
            # One that was away for a while joins again without another election, which lengthens every lease.
            "pre-vote": "true",
            "auto-compaction-mode": "periodic",
            "auto-compaction-retention": "1h",
            "logger": "zap",
            "log-level": "warn",
            "log-outputs": "stderr",
        }
        return [f"--{name}={value}" for name, value in options.items()]

    async def _has_majority(self) -> bool:
        try:
            answer = await local_http.ask("GET", self.place.port, "/health")
        except local_http.UNANSWERED:
            return False
        return isinstance(answer.body, dict) and answer.body.get("health") == "true"
