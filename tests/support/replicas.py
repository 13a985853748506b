"""Replicas of the tests' servers, and deployments whose database has one."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import asyncpg
import uvloop
from pydantic import SecretStr

from gameserver.config.servers import DatabaseSettings, ReplicaSettings
from gameserver.config.settings import Settings
from gameserver.stack.processes.ports import free_port
from gameserver.stack.servers.postgres import PostgresServer
from gameserver.stack.servers.replica import PostgresReplica
from gameserver.stack.servers.standbys import slot_of
from tests.support.servers import FAST, Servers


def replica_of(primary: PostgresServer, folder: Path, name: str) -> PostgresReplica:
    """A replica with its data and its log in this folder, not started yet."""
    return PostgresReplica(
        name=name,
        data=folder / name,
        port=free_port(),
        password=primary.password,
        log=folder / f"{name}.log",
        primary=primary,
        settings=FAST,
    )


@contextmanager
def standing_replica(servers: Servers, name: str = "one-replica-1") -> Iterator[PostgresReplica]:
    """Of database `one`."""
    primary = servers.postgres["one"]
    made = replica_of(primary, servers.folder, name)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(made.start())
        yield made
        runner.run(made.stop())
        # Else the primary would keep its log for it from now on.
        runner.run(tell(primary, f"select pg_drop_replication_slot('{slot_of(made.name)}')"))


def url_of(server: PostgresReplica, settings: Settings) -> str:
    """The deployment's database on the replica."""
    return server.url.rsplit("/", 1)[0] + "/" + settings.database_url("one").get_secret_value().rsplit("/", 1)[1]


def with_replica(settings: Settings, url: str, **reads: float) -> Settings:
    """The deployment whose database `one` has a replica at this URL; `reads` are settings of `[reads]`."""
    one = DatabaseSettings(
        url=settings.database_url("one"), allow_unsafe=True, replicas=(ReplicaSettings(url=SecretStr(url)),)
    )
    return settings.model_copy(
        update={"databases": {**settings.databases, "one": one}, "reads": settings.reads.model_copy(update=reads)}
    )


async def tell(server: PostgresServer, statement: str) -> None:
    connection = await asyncpg.connect(server.superuser_url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@asynccontextmanager
async def paused(server: PostgresReplica) -> AsyncIterator[None]:
    """The replica answers, and shows nothing new."""
    await tell(server, "select pg_wal_replay_pause()")
    try:
        yield
    finally:
        await tell(server, "select pg_wal_replay_resume()")
