"""Redis and Valkey as their users run them: alone, with TLS, behind a Sentinel, as a cluster; all with the ACL."""

import asyncio
import os
import re
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from gameserver.config.redis_url import RedisAccess
from gameserver.stack.processes.lock import FolderLock
from gameserver.stack.processes.ports import free_port
from gameserver.stack.processes.process import Launch, Process
from gameserver.stack.servers import binaries
from tests.support.repository import CONFIG
from tests.support.wait import wait_until

ACL = CONFIG / "redis.acl"
PASSWORD, ADMIN = "p@ss:word/%", "admin-password"
SLOTS = 16384
TESTS_OWN = ("flushall", "flushdb", "keys", "scan", "pttl", "dump", "restore")
"""What tests do besides the server's code."""


def debian_redis() -> Path:
    """Debian's redis-server, which also speaks TLS; the test is skipped, or fails under CI, where it is missing."""
    found = shutil.which("redis-server")
    if found is None:
        reason = "redis-server isn't installed (apt-get install redis-server)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return Path(found)


def acl() -> list[str]:
    """The users of config/redis.acl, with passwords, and an administrator for the tests."""
    users = re.sub(r"#[0-9a-f]{64}", "#" + sha256(PASSWORD.encode()).hexdigest(), ACL.read_text("utf-8").rstrip())
    admin = f"user admin on >{ADMIN} ~* &* +@all"
    users += "".join(f" +{each}" for each in TESTS_OWN)
    return [*(line for line in users.splitlines() if line.startswith("user ")), admin]


@dataclass(eq=False)
class Server:
    """One server on a port of its own; `options` are lines of its configuration."""

    folder: Path
    program: Path
    options: Sequence[str]
    sentinel: bool = False
    port: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.config = self.folder / "server.conf"
        self.config.write_text("\n".join([f"dir {self.folder}", *self.options]) + "\n")
        self.process = Process(f"server {self.port}", self.folder / "log")

    async def start(self) -> None:
        lock = FolderLock(self.folder / "lock")
        lock.acquire()
        argv = (str(self.program), str(self.config), *(["--sentinel"] if self.sentinel else []))
        try:
            self.process.start(Launch(argv, self.folder, {"PATH": os.defpath}, lock, signal.SIGKILL))
        finally:
            lock.release()
        await self.process.until(self._listens, 20)

    async def _listens(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.close()
        return True

    def kill(self) -> None:
        self.process.kill()

    async def ask(self, *command: Any, **options: Any) -> Any:
        """One command of the administrator's."""
        user: dict[str, Any] = {} if self.sentinel else {"username": "admin", "password": ADMIN}
        client: Any = Redis(host="127.0.0.1", port=self.port, **user, **options)
        try:
            return await client.execute_command(*command)
        finally:
            await client.aclose()


@dataclass
class Running:
    """What the settings need, and the servers behind it."""

    url: str
    access: RedisAccess
    servers: list[Server]

    async def flush(self) -> None:
        for server in self.servers:
            await server.ask("FLUSHALL")


def _lines(port: int, *more: str) -> list[str]:
    return [f"port {port}", "bind 127.0.0.1", 'save ""', "appendonly yes", *acl(), *more]


def _url(scheme: str, *ports: int, path: str = "") -> str:
    places = ",".join(f"127.0.0.1:{port}" for port in ports)
    return f"{scheme}://gameserver:p%40ss%3Aword%2F%25@{places}{path}"


@asynccontextmanager
async def _all(servers: Sequence[Server]) -> AsyncIterator[None]:
    try:
        for server in servers:
            await server.start()
        yield
    finally:
        for server in servers:
            server.kill()


@asynccontextmanager
async def alone(folder: Path, program: Path | None = None) -> AsyncIterator[Running]:
    port = free_port()
    server = Server(folder / "alone", program or binaries.valkey_server(), _lines(port), port=port)
    async with _all([server]):
        yield Running(_url("redis", port), RedisAccess(), [server])


def certificates(folder: Path) -> tuple[Path, Path, Path]:
    """An authority, and a certificate of 127.0.0.1 by it with its key."""
    folder.mkdir(parents=True, exist_ok=True)
    ca, ca_key, made, key = (folder / each for each in ("ca.pem", "ca.key", "made.pem", "made.key"))
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    for command in (
        ["req", "-x509", *curve, "-subj", "/CN=authority", "-keyout", str(ca_key), "-out", str(ca)],
        ["req", "-x509", *curve, "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
         "-addext", "basicConstraints=critical,CA:FALSE", "-CA", str(ca), "-CAkey", str(ca_key),
         "-keyout", str(key), "-out", str(made)],
    ):  # fmt: skip
        subprocess.run(["openssl", *command], check=True, capture_output=True)
    return ca, made, key


class Tls:
    """Lines of a server that speaks TLS besides, which asks for certificates, and what its clients need."""

    def __init__(self, folder: Path) -> None:
        ca, made, key = certificates(folder / "certificates")
        self.access = RedisAccess(ca, made, key)
        self._files = [f"tls-ca-cert-file {ca}", f"tls-cert-file {made}", f"tls-key-file {key}"]

    def lines(self, port: int, *more: str) -> list[str]:
        return [f"tls-port {port}", *self._files, *more]


@asynccontextmanager
async def with_tls(folder: Path) -> AsyncIterator[Running]:
    """Debian's Redis, which speaks TLS as Valkey's wheel doesn't."""
    tls, port, plain = Tls(folder), free_port(), free_port()
    server = Server(folder / "tls", debian_redis(), _lines(plain, *tls.lines(port)), port=plain)
    async with _all([server]):
        yield Running(_url("rediss", port), tls.access, [server])


@asynccontextmanager
async def behind_sentinel(folder: Path, *, secured: bool = False) -> AsyncIterator[Running]:
    """A master, a replica, and one Sentinel, whose word is enough; the Sentinel is the last of the servers."""
    program = debian_redis() if secured else binaries.valkey_server()
    tls = Tls(folder) if secured else None
    ports, plain = [free_port() for _ in range(3)], [free_port() for _ in range(3)]
    public = ports if secured else plain
    speak = [tls.lines(port, "tls-replication yes") if tls is not None else [] for port in ports]
    replicated = ["masteruser admin", f"masterauth {ADMIN}", "repl-diskless-sync-delay 0"]
    replica_of = f"replicaof 127.0.0.1 {public[0]}"
    master, replica = (
        Server(folder / name, program, _lines(port, *replicated, *own, *more), port=port)
        for name, port, own, more in zip(("master", "replica"), plain[:2], speak[:2], ([], [replica_of]), strict=True)
    )
    lines = [
        f"port {plain[2]}",
        "bind 127.0.0.1",
        *speak[2],
        f"sentinel monitor the-master 127.0.0.1 {public[0]} 1",
        "sentinel auth-user the-master admin",
        f"sentinel auth-pass the-master {ADMIN}",
        "sentinel down-after-milliseconds the-master 500",
        "sentinel failover-timeout the-master 3000",
    ]
    sentinel = Server(folder / "sentinel", program, lines, sentinel=True, port=plain[2])
    async with _all([master, replica]):
        await wait_until(lambda: _is_followed(master), what="the replica follows")
        async with _all([sentinel]):
            await wait_until(lambda: _knows_replica(sentinel), what="the Sentinel knows the replica")
            scheme = "rediss+sentinel" if secured else "redis+sentinel"
            url = _url(scheme, free_port(), public[2], path="/the-master")
            yield Running(url, RedisAccess() if tls is None else tls.access, [master, replica, sentinel])


async def _is_followed(master: Server) -> bool:
    slave = (await master.ask("INFO", "replication")).get("slave0", {})
    return bool(slave.get("state") == "online")


async def _knows_replica(sentinel: Server) -> bool:
    replicas = await sentinel.ask("SENTINEL REPLICAS", "the-master")
    return any(replica.get(b"master-link-status") == b"ok" for replica in replicas)


@asynccontextmanager
async def cluster(folder: Path, *, secured: bool = False) -> AsyncIterator[Running]:
    """Three masters that share the slots."""
    program = debian_redis() if secured else binaries.valkey_server()
    tls = Tls(folder) if secured else None
    ports, plain, buses = ([free_port() for _ in range(3)] for _ in range(3))
    public = ports if secured else plain
    servers = []
    for port, own, bus in zip(ports, plain, buses, strict=True):
        more = ["cluster-enabled yes", "cluster-node-timeout 2000", f"cluster-port {bus}"]
        more += tls.lines(port, "tls-cluster yes") if tls is not None else []
        servers.append(Server(folder / str(own), program, _lines(own, *more), port=own))
    async with _all(servers):
        for number, each in enumerate(servers):
            first, last = SLOTS * number // 3, SLOTS * (number + 1) // 3 - 1
            await each.ask("CLUSTER", "ADDSLOTSRANGE", first, last)
        for port, bus in zip(public[1:], buses[1:], strict=True):
            await servers[0].ask("CLUSTER", "MEET", "127.0.0.1", port, bus)
        await wait_until(lambda: _agree(servers), 20, "the cluster has all its slots")
        scheme = "rediss+cluster" if secured else "redis+cluster"
        yield Running(_url(scheme, *public[:2]), RedisAccess() if tls is None else tls.access, servers)


async def _agree(servers: Sequence[Server]) -> bool:
    try:
        infos = [await server.ask("CLUSTER INFO") for server in servers]
        slots = [await server.ask("CLUSTER", "SLOTS") for server in servers]
    except RedisError:
        return False
    return all(info["cluster_state"] == "ok" for info in infos) and all(len(slot) == 3 for slot in slots)
