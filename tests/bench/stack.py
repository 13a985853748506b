"""A stack on fresh embedded servers, for one measurement."""

import asyncio
import contextlib
import os
import re
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import orjson

from gameserver.config.settings import Settings, load
from gameserver.stack.errors import StackError
from gameserver.stack.processes.child import Child
from gameserver.stack.processes.ports import free_port, require_free
from gameserver.stack.servers.node import NodeProcess
from gameserver.stack.servers.postgres import PostgresServer
from gameserver.stack.servers.replica import PostgresReplica
from gameserver.stack.up import nodes as nodes_of
from gameserver.stack.up import replicas, servers
from gameserver.storage.sharding import provision

WIDE = '{"per_minute": 1000000, "burst": 1000000}'
EXEMPT = '["127.0.0.0/16"]'
"""The bench's own address, and not those from which it asks for doors `counted`."""
EAGER = {
    "GAMESERVER_LIMITS__EXEMPT": EXEMPT,
    "GAMESERVER_LIMITS__SIGN_UPS_PER_ADDRESS": WIDE,
    "GAMESERVER_LIMITS__SIGN_INS_PER_ADDRESS": WIDE,
    "GAMESERVER_LIMITS__SIGN_INS_PER_NAME": WIDE,
    "GAMESERVER_LIMITS__SIGN_INS_PER_NAME_AND_ADDRESS": WIDE,
    "GAMESERVER_ACCOUNTS__PROOF_SECONDS": "86400",
}


@dataclass(frozen=True)
class Stack:
    """What runs: its data folder, and its processes."""

    config: Path
    settings: Settings
    folder: Path
    below: Sequence[Child]
    nodes: Sequence[NodeProcess]
    ports: Sequence[int]
    """Each node's own."""

    @property
    def urls(self) -> list[str]:
        return [f"http://{self.settings.node.host}:{port}" for port in self.ports]

    def pids(self) -> dict[str, list[int]]:
        """The processes by kind."""
        followers = self.replicas
        databases = [child for child in self.below if isinstance(child, PostgresServer) and child not in followers]
        others = [child for child in self.below if not isinstance(child, PostgresServer)]
        kinds: dict[str, Sequence[Child]] = {"node": self.nodes, "postgres": databases, "redis": others}
        kinds |= {"replica": followers} if followers else {}
        return {kind: [child.process.pid or 0 for child in children] for kind, children in kinds.items()}

    @property
    def replicas(self) -> list[PostgresReplica]:
        return [child for child in self.below if isinstance(child, PostgresReplica)]

    async def some_players(self, count: int = 2_000) -> list[str]:
        """The ids of players, at random."""
        databases = self.settings.groups["players"].databases
        found = [await self._players_of(database, count // len(databases)) for database in databases]
        return [str(player) for part in found for player in part]

    async def _players_of(self, database: str, count: int) -> list[int]:
        connection = await asyncpg.connect(self.settings.database_url(database).get_secret_value())
        try:
            rows = await connection.fetch("select id from players where not void order by random() limit $1", count)
        finally:
            await connection.close()
        return [row["id"] for row in rows]


@asynccontextmanager
async def running(
    config: Path, nodes: int | None = None, players: int = 0, *, eager: bool = False
) -> AsyncIterator[Stack]:
    """A stack with so many nodes, and players that are loaded before; everything is deleted at the end.

    An `eager` one has neither the example game's cool-downs nor limits that doors would meet. The servers get free
    ports, so that several measurements can be prepared on one machine.
    """
    Path("var").mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir="var"))
    folder.chmod(0o755)
    environment = dict(os.environ)
    os.environ["GAMESERVER_STACK__DATA"] = str(folder.resolve())
    if nodes is not None:
        os.environ["GAMESERVER_STACK__NODES"] = str(nodes)
    if eager:
        os.environ |= EAGER | {"GAMESERVER_GAME": str(eager_game(load(config), folder))}
    os.environ |= free_ports(load(config))
    settings = load(config)
    below, above = servers(settings), nodes_of(settings, config)
    below += replicas(settings, below)
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
        ports = [settings.node_port(number) for number, _ in enumerate(above, 1)]
        yield Stack(config, settings, folder, below, above, ports)
    finally:
        for child in reversed(started):
            await child.stop()
        shutil.rmtree(folder, ignore_errors=True)
        os.environ.clear()
        os.environ.update(environment)


def eager_game(settings: Settings, folder: Path) -> Path:
    """The game without cool-downs, and with a spell that costs little, so that letters can be written all the time."""
    text = settings.game_file.read_text("utf-8")
    text = re.sub(r"^((pair_)?cooldown|protection|repeat_percent|daily_exp) = .*\n", "", text, flags=re.M)
    path = folder.resolve() / "game.toml"
    path.write_text(re.sub(r"^cost = 6$", "cost = 1", text, flags=re.M), "utf-8")
    return path


def free_ports(settings: Settings) -> dict[str, str]:
    """Settings in the environment by which every server that the stack starts listens elsewhere."""
    ports = {f"DATABASES__{name.upper()}": free_port() for name, one in settings.databases.items() if one.embedded}
    ports |= {"REDIS": free_port()} if settings.redis.embedded else {}
    found = {f"GAMESERVER_{name}__EMBEDDED__PORT": str(port) for name, port in ports.items()}
    found |= {
        f"GAMESERVER_DATABASES__{name.upper()}__REPLICAS": embedded_replicas(len(one.replicas))
        for name, one in settings.databases.items()
        if one.embedded and one.replicas
    }
    return found | {"GAMESERVER_NODE__PORT": str(free_base(settings.stack.nodes))}


def embedded_replicas(count: int) -> str:
    """The setting of so many replicas, on free ports."""
    return orjson.dumps([{"embedded": {"port": free_port()}} for _ in range(count)]).decode()


def free_base(nodes: int) -> int:
    """A port whose neighbours above, and those for operators, are free, too."""
    while True:
        base = free_port()
        with contextlib.suppress(StackError):
            for port in (*range(base, base + nodes + 1), *range(base + 1001, base + 1001 + nodes)):
                require_free("127.0.0.1", port, "node.port")
            return base


async def load_players(config: Path, count: int) -> None:
    words = ("-m", "gameserver", "demo", "--config", str(config), "--players", str(count))
    process = await asyncio.create_subprocess_exec(sys.executable, *words, stdout=asyncio.subprocess.DEVNULL)
    if await process.wait() != 0:
        raise SystemExit(f"{count} players couldn't be loaded")
