"""The file by which other programs of this machine find a running `gameserver up`: `run/stack.json` in its data folder.

Law: it is there while `up` runs, and always whole. It names what runs now: a process that was started again is in it
within a second. A file that outlived its `up` is told by `up`: no process with that number began at that time. It
holds no secret, only where the admin key lies. Its form is described in docs/chaos.md.
"""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import structlog

import gameserver
from gameserver.config.settings import Settings
from gameserver.stack.backups.receiver import WalReceiver
from gameserver.stack.processes import process_table
from gameserver.stack.processes.child import Child
from gameserver.stack.servers.etcd import EtcdServer
from gameserver.stack.servers.haproxy import HAProxyServer
from gameserver.stack.servers.node import NodeProcess
from gameserver.stack.servers.patroni import PatroniServer
from gameserver.stack.servers.postgres import PostgresServer
from gameserver.stack.servers.redis import RedisServer
from gameserver.stack.servers.replica import PostgresReplica
from gameserver.stack.servers.sentinel import SentinelServer
from gameserver.waiting import cancel_and_wait

FILE = "stack.json"
FORMAT, VERSION = "heroledger-stack", 1
_LOOK_SECONDS = 0.5
_KINDS: Sequence[tuple[type, str]] = (
    (NodeProcess, "node"),
    (PostgresReplica, "replica"),
    (PostgresServer, "database"),
    (PatroniServer, "member"),
    (RedisServer, "redis"),
    (SentinelServer, "sentinel"),
    (EtcdServer, "etcd"),
    (HAProxyServer, "haproxy"),
    (WalReceiver, "receiver"),
)
"""The first that fits; a replica is a Postgres, too."""
_log = structlog.get_logger()


@asynccontextmanager
async def announced(
    settings: Settings, config: Path, doors: Mapping[str, str], children: Callable[[], Sequence[Child]]
) -> AsyncIterator[None]:
    """Keeps the file while the block runs; `doors` are the URLs of players and operators."""
    file = settings.data / "run" / FILE
    fixed = _fixed(settings, config, doors)
    await _write(file, fixed, children())
    keeper = asyncio.create_task(_keep(file, fixed, children))
    try:
        yield
    finally:
        await cancel_and_wait([keeper])
        file.unlink(missing_ok=True)


def _fixed(settings: Settings, config: Path, doors: Mapping[str, str]) -> dict[str, Any]:
    """What doesn't change while `up` runs."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "up": _identity(os.getpid()),
        "command": [sys.executable, "-m", "gameserver"],
        "gameserver": gameserver.__version__,
        "config": str(config.resolve()),
        "data": str(settings.data),
        **doors,
        "admin_key_file": str(settings.admin_key_file),
        "control": settings.control.database,
        "groups": {name: list(group.databases) for name, group in settings.groups.items()},
        "slots": {name: group.slots for name, group in settings.groups.items()},
    }


async def _keep(file: Path, fixed: Mapping[str, Any], children: Callable[[], Sequence[Child]]) -> None:
    before: bytes | None = None
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        before = await _write(file, fixed, children(), before)


async def _write(
    file: Path, fixed: Mapping[str, Any], children: Sequence[Child], before: bytes | None = None
) -> bytes | None:
    """Writes the file unless its content is `before`, and returns its content; a full disk is no reason to stop."""
    content = orjson.dumps(
        {**fixed, "servers": await asyncio.to_thread(_servers, children)}, option=orjson.OPT_INDENT_2
    )
    if content == before:
        return before
    made = file.with_suffix(".new")
    try:
        made.write_bytes(content)
        made.replace(file)
    except OSError as error:
        _log.warning("the file that says what runs can't be written", file=str(file), error=str(error))
        with contextlib.suppress(OSError):
            made.unlink()
        return None
    return content


def _servers(children: Sequence[Child]) -> list[dict[str, object]]:
    return [
        {
            "name": child.name,
            "kind": next((kind for one, kind in _KINDS if isinstance(child, one)), "other"),
            "what": child.what,
            "database": _database(child),
            "address": child.address,
            "processes": [identity for pid in _pids(child) if (identity := _identity(pid))],
            "log": str(child.process.log),
        }
        for child in children
    ]


def _database(child: Child) -> str | None:
    """The database that a server serves a copy of."""
    if isinstance(child, PostgresReplica):
        return child.primary.name
    if isinstance(child, PatroniServer | WalReceiver):
        return child.database
    return child.name if isinstance(child, PostgresServer) else None


def _pids(child: Child) -> list[int]:
    """The process itself; of a server under Patroni its Postgres, too, which is nobody's child."""
    pids = [child.process.pid] + ([child.postgres_pid] if isinstance(child, PatroniServer) else [])
    return [pid for pid in pids if pid is not None]


def _identity(pid: int) -> dict[str, int] | None:
    """A process by its number and the moment of its start, which no other one shares; None when it has ended."""
    started = process_table.started(pid)
    return None if started is None else {"pid": pid, "started": started}
