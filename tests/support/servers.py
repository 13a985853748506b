"""Real servers for a whole test run, and a fresh database on each for every test."""

import asyncio
import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import asyncpg
import uvloop
from pydantic import SecretStr

from gameserver.config.deployment import ControlSettings, GroupSettings, NodeSettings, StackSettings
from gameserver.config.limits import PerSecond
from gameserver.config.servers import DatabaseSettings, RedisSettings
from gameserver.config.settings import Settings
from gameserver.stack.processes.child import Child
from gameserver.stack.processes.ports import free_port
from gameserver.stack.servers.postgres import PostgresServer
from gameserver.stack.servers.redis import RedisServer
from gameserver.storage.redis import clients
from gameserver.storage.sharding import provision
from tests.support.repository import CONFIG

GAME = CONFIG / "game.toml"
FAST = {"fsync": "off", "shared_buffers": "64MB", "max_connections": "100"}
NAMES = ("one", "two")
SLOTS = 64
EXEMPT = ("127.0.0.0/8",)
"""Tests sign up far more players from this machine than a client may."""
BUSY = PerSecond(per_second=5000, burst=10_000)
"""Of tests that act as fast as they can with one player."""
OTHER_REDIS = "GAMESERVER_TESTS_REDIS"
ROOM = 2 << 30
_numbers = count(1)


@dataclass
class Servers:
    """Two Postgres instances and a Valkey."""

    folder: Path
    postgres: Mapping[str, PostgresServer]
    redis: RedisServer
    template: bool = field(default=False)

    @property
    def game(self) -> Path:
        """The example game without its limits on duels and spells, so that tests of mail needn't wait."""
        game = self.folder / "eager.toml"
        if not game.exists():
            limits = r"^((pair_)?cooldown|protection|repeat_percent|daily_exp) = .*\n"
            game.write_text(re.sub(limits, "", GAME.read_text("utf-8"), flags=re.M), "utf-8")
        return game

    @property
    def redis_url(self) -> SecretStr:
        """That of the Valkey, or of another Redis that these tests are run with (tests/cluster/test_redis_kinds.py)."""
        return SecretStr(os.environ.get(OTHER_REDIS, self.redis.url))

    def settings(self, database: str, port: int | None = None, **more: object) -> Settings:
        """Settings of a deployment whose tables are in this database of every instance."""
        urls = {name: server.url.rsplit("/", 1)[0] + f"/{database}" for name, server in self.postgres.items()}
        group = GroupSettings(databases=NAMES, slots=SLOTS)
        values: dict[str, object] = {
            "game": self.game,
            "databases": {name: DatabaseSettings(url=url, allow_unsafe=True) for name, url in urls.items()},
            "redis": RedisSettings(url=self.redis_url),
            "control": ControlSettings(database="one"),
            "groups": {"accounts": group, "players": group},
            "node": NodeSettings(port=port or free_port(), drain_seconds=3),
            "stack": StackSettings(data=self.folder / "data"),
            "admin": {"keys": {"tester": "an-admin-key-that-nobody-guesses-1"}},
            "limits": {"exempt": EXEMPT, "actions_per_player": BUSY},
        }
        return Settings(**{**values, **more})  # type: ignore[arg-type]

    async def fresh(self) -> str:
        """A new migrated database of the same name on every instance, copied from a template; Redis is emptied."""
        if not self.template:
            await self._everywhere("create database template_of_tests")
            await provision.migrate(self.settings("template_of_tests"))
            self.template = True
        name = f"test_{next(_numbers)}"
        await self._everywhere(f"create database {name} template template_of_tests strategy file_copy")
        await self.flush()
        return name

    async def bare(self) -> str:
        """A new database of the same name on every instance, without tables; Redis is emptied."""
        name = f"test_{next(_numbers)}"
        await self._everywhere(f"create database {name} strategy file_copy")
        await self.flush()
        return name

    async def drop(self, database: str) -> None:
        await self._everywhere(f"drop database {database} with (force)")

    async def flush(self) -> None:
        client = clients.connect(self.redis_url)
        await client.flushall()
        await client.aclose()

    async def _everywhere(self, statement: str) -> None:
        for server in self.postgres.values():
            connection = await asyncpg.connect(server.superuser_url.rsplit("/", 1)[0] + "/postgres")
            try:
                await connection.execute(statement + (" owner gameserver" if statement.startswith("create") else ""))
            finally:
                await connection.close()


@contextmanager
def standing_servers() -> Iterator[Servers]:
    """On a loop of their own: pytest ends an async fixture of several tests with each, as that has its own loop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        running = running_servers()
        yield runner.run(running.__aenter__())
        runner.run(running.__aexit__(None, None, None))


def roomy() -> str:
    """Memory if there is enough: making and dropping a database is a thousand small files."""
    memory = Path("/dev/shm")
    return str(memory) if memory.is_dir() and shutil.disk_usage(memory).free > ROOM else "/tmp"


@asynccontextmanager
async def running_servers() -> AsyncIterator[Servers]:
    folder = Path(tempfile.mkdtemp(prefix="gameserver-tests-", dir=roomy()))
    folder.chmod(0o755)
    postgres = {
        name: PostgresServer(
            name=name,
            data=folder / name,
            port=free_port(),
            password=SecretStr("test"),
            log=folder / f"{name}.log",
            settings=FAST,
        )
        for name in NAMES
    }
    redis = RedisServer(
        name="redis", data=folder / "redis", port=free_port(), password=SecretStr("test"), log=folder / "redis.log"
    )
    children: list[Child] = [*postgres.values(), *([] if OTHER_REDIS in os.environ else [redis])]
    try:
        for server in children:
            await server.start()
        yield Servers(folder, postgres, redis)
    finally:
        for server in children:
            await server.stop()
        shutil.rmtree(folder, ignore_errors=True)
