"""A stack on fresh embedded servers, for one measurement."""

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from gameserver.config.settings import Settings, load
from gameserver.stack.processes.child import Child
from gameserver.stack.servers.node import NodeProcess
from gameserver.stack.servers.postgres import PostgresServer
from gameserver.stack.up import nodes as nodes_of
from gameserver.stack.up import servers
from gameserver.storage.sharding import provision


@dataclass(frozen=True)
class Stack:
    """What runs: its data folder, and its processes."""

    settings: Settings
    folder: Path
    below: Sequence[Child]
    nodes: Sequence[NodeProcess]

    @property
    def ports(self) -> list[int]:
        """Each node's own port."""
        return [self.settings.node_port(number) for number, _ in enumerate(self.nodes, 1)]

    @property
    def urls(self) -> list[str]:
        return [f"http://{self.settings.node.host}:{port}" for port in self.ports]

    def pids(self) -> dict[str, list[int]]:
        """The processes by kind."""
        databases = [child for child in self.below if isinstance(child, PostgresServer)]
        others = [child for child in self.below if not isinstance(child, PostgresServer)]
        kinds: dict[str, Sequence[Child]] = {"node": self.nodes, "postgres": databases, "redis": others}
        return {kind: [child.process.pid or 0 for child in children] for kind, children in kinds.items()}


@asynccontextmanager
async def running(config: Path, nodes: int | None = None, players: int = 0) -> AsyncIterator[Stack]:
    """A stack with so many nodes, and players that are loaded before; everything is deleted at the end."""
    Path("var").mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir="var"))
    folder.chmod(0o755)
    os.environ["GAMESERVER_STACK__DATA"] = str(folder.resolve())
    if nodes is not None:
        os.environ["GAMESERVER_STACK__NODES"] = str(nodes)
    settings = load(config)
    below, above = servers(settings), nodes_of(settings, config)
    for name in ("log", "run"):
        (folder / name).mkdir()
    started: list[Child] = []
    try:
        for child in below:
            await child.start()
            started.append(child)
        await provision.migrate(settings)
        for node in above:
            await node.start()
            started.append(node)
        if players:
            await load_players(config, players)
        yield Stack(settings, folder, below, above)
    finally:
        for child in reversed(started):
            await child.stop()
        shutil.rmtree(folder, ignore_errors=True)


async def load_players(config: Path, count: int) -> None:
    words = ("-m", "gameserver", "demo", "--config", str(config), "--players", str(count))
    process = await asyncio.create_subprocess_exec(sys.executable, *words, stdout=asyncio.subprocess.DEVNULL)
    if await process.wait() != 0:
        raise SystemExit(f"{count} players couldn't be loaded")
