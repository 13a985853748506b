"""A folder that the servers' account can enter, and servers in it that are gone when the test is over."""

import asyncio
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr

from gameserver.stack.processes.ports import free_port
from gameserver.stack.servers.postgres import PostgresServer
from gameserver.stack.servers.redis import RedisServer

FAST = {"fsync": "off", "shared_buffers": "16MB", "max_connections": "20"}
PASSWORD = "a'b\"c/\\ü"
ROOM = 1 << 30


def roomy() -> str:
    """Memory if there is enough: ext4 without a journal is slow to make files after deleting many."""
    memory = Path("/dev/shm")
    return str(memory) if memory.is_dir() and shutil.disk_usage(memory).free > ROOM else "/tmp"


@contextmanager
def open_folder(parent: str) -> Iterator[Path]:
    """A folder that every account can enter, unlike those of pytest."""
    made = Path(tempfile.mkdtemp(prefix="gameserver-test-", dir=parent))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_folder(roomy()) as made:
        yield made


@pytest.fixture(scope="session")
def pristine() -> Iterator[Path]:
    """A data folder as the first start leaves it, to copy: making a new one takes longer than most tests."""
    with open_folder(roomy()) as made:
        server = PostgresServer(
            name="one",
            data=made / "one",
            port=free_port(),
            password=SecretStr(PASSWORD),
            log=made / "log",
            settings=FAST,
        )

        async def first_start() -> None:
            await server.start()
            await server.stop()

        asyncio.run(first_start())
        yield made / "one"


def copy(data: Path, to: Path) -> None:
    subprocess.run(["cp", "-a", str(data), str(to)], check=True)


@pytest.fixture
async def postgres(folder: Path, pristine: Path) -> AsyncIterator[Callable[..., PostgresServer]]:
    """Makes a Postgres that isn't started; `new` is one without data."""
    made: list[PostgresServer] = []

    def make(
        data: Path | None = None,
        settings: Mapping[str, str] = FAST,
        password: str = PASSWORD,
        *,
        new: bool = False,
        superuser_password: SecretStr | None = None,
        former_password: SecretStr | None = None,
    ) -> PostgresServer:
        server = PostgresServer(
            name="one",
            data=data or folder / "one",
            port=free_port(),
            password=SecretStr(password),
            log=folder / "log" / "one.log",
            settings=settings,
            superuser_password=superuser_password,
            former_password=former_password,
        )
        made.append(server)
        if not new and not server.data.exists():
            copy(pristine, server.data)
        return server

    yield make
    for server in made:
        await server.stop()


@pytest.fixture
async def valkey(folder: Path) -> AsyncIterator[RedisServer]:
    server = RedisServer(
        name="redis",
        data=folder / "redis",
        port=free_port(),
        password=SecretStr(PASSWORD),
        log=folder / "log" / "redis.log",
    )
    yield server
    await server.stop()
