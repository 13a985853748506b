"""Real servers for a whole test run, and a fresh database on each for every test."""

import asyncio
import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from concurrent.futures import Future
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

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
from gameserver.stack.servers.roles import SUPERUSER
from gameserver.storage.redis import clients
from gameserver.storage.sharding import provision
from tests.support.administration import Administration
from tests.support.repository import CONFIG

GAME = CONFIG / "game.toml"
FAST = {"fsync": "off", "shared_buffers": "64MB", "max_connections": "100", "scram_iterations": "1"}
NAMES = ("one", "two")
SLOTS = 64
EXEMPT = ("127.0.0.0/8",)
"""Tests sign up far more players from this machine than a client may."""
BUSY = PerSecond(per_second=5000, burst=10_000)
"""Of tests that act as fast as they can with one player."""
PLAIN = "?sslmode=disable"
"""Their servers have no TLS; to ask for it would take a context for each connection."""
OTHER_REDIS = "GAMESERVER_TESTS_REDIS"
ROOM = 2 << 30
_numbers = count(1)


@dataclass
class Servers:
    """Two Postgres instances and a Valkey."""

    folder: Path
    postgres: Mapping[str, PostgresServer]
    redis: RedisServer
    administration: Administration
    template: str | None = field(default=None)
    """The database that is copied."""
    ahead: tuple[str, Future[None]] | None = field(default=None)
    """One that is made already, or about to be."""

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
        urls = {name: server.url.rsplit("/", 1)[0] + f"/{database}{PLAIN}" for name, server in self.postgres.items()}
        own = {
            "databases": {name: DatabaseSettings(url=SecretStr(url), allow_unsafe=True) for name, url in urls.items()},
            "node": NodeSettings(port=port or free_port(), drain_seconds=3),
        }
        if more:
            return Settings(**{**self._shared, **own, **more})  # type: ignore[arg-type]
        return self._usual.model_copy(update=own)

    @cached_property
    def _usual(self) -> Settings:
        """Made once: its environment and files take as long to read as a test's database to copy."""
        databases = {name: DatabaseSettings(url=SecretStr(server.url)) for name, server in self.postgres.items()}
        return Settings(**self._shared, databases=databases)  # type: ignore[arg-type]

    @property
    def _shared(self) -> dict[str, object]:
        group = GroupSettings(databases=NAMES, slots=SLOTS)
        return {
            "game": self.game,
            "redis": RedisSettings(url=self.redis_url),
            "control": ControlSettings(database="one"),
            "groups": {"accounts": group, "players": group},
            "stack": StackSettings(data=self.folder / "data"),
            "admin": {"keys": {"tester": "an-admin-key-that-nobody-guesses-1"}},
            "limits": {"exempt": EXEMPT, "actions_per_player": BUSY, "reads_per_player": BUSY},
        }

    async def fresh(self) -> str:
        """A new migrated database of the same name on every instance, copied from a template; Redis is emptied.

        The next one is made meanwhile.
        """
        if self.template is None:
            self.template = "template_of_tests"
            await self.administration.everywhere(_create(self.template))
            await provision.migrate(self.settings(self.template))
        (name, made), self.ahead = self.ahead or self._begun(self.template), None
        await asyncio.wrap_future(made)
        self.ahead = self._begun(self.template)
        await self.flush()
        return name

    def _begun(self, template: str) -> tuple[str, Future[None]]:
        name = f"test_{next(_numbers)}"
        return name, self.administration.begin(f"{_create(name)} template {template} strategy file_copy")

    async def bare(self) -> str:
        """A new database of the same name on every instance, without tables; Redis is emptied."""
        name = f"test_{next(_numbers)}"
        await self.administration.everywhere(f"{_create(name)} strategy file_copy")
        await self.flush()
        return name

    def drop(self, database: str) -> None:
        """Soon."""
        self.administration.begin(f"drop database {database} with (force)")

    async def flush(self, url: SecretStr | None = None) -> None:
        client = clients.connect(url or self.redis_url)
        await client.flushdb()
        await client.aclose()


def database_of(url: SecretStr) -> str:
    """The name of the database that a URL leads to."""
    return urlsplit(url.get_secret_value()).path.removeprefix("/")


def _create(database: str) -> str:
    return f"create database {database} owner gameserver"


class _StandingPostgres(PostgresServer):
    """One that listens on a Unix socket in its data folder, too."""

    @property
    def local_address(self) -> Mapping[str, Any]:
        """Of the superuser's own database, as `asyncpg.connect` takes it."""
        password = self._superuser_password.get_secret_value()
        return {"host": str(self.data), "port": self.port, "user": SUPERUSER, "password": password,
                "database": "postgres"}  # fmt: skip

    def _place(self) -> Mapping[str, str]:
        return {**super()._place(), "unix_socket_directories": str(self.data)}


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
        name: _StandingPostgres(
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
        addresses = {name: server.local_address for name, server in postgres.items()}
        with closing(Administration(addresses)) as administration:
            yield Servers(folder, postgres, redis, administration)
    finally:
        for server in children:
            await server.stop()
        shutil.rmtree(folder, ignore_errors=True)
