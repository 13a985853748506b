"""Databases that fail over or go back in time: servers on a new timeline, with all of their data or with older ones."""

import asyncio
import copy
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from pydantic import SecretStr

from gameserver.app import Core
from gameserver.stack.servers.postgres import PostgresServer
from gameserver.stack.servers.replica import PostgresReplica
from gameserver.storage.sharding import provision
from gameserver.upkeep.reconciling import reconcile_for_ever
from gameserver.upkeep.takeover import take_over_for_ever
from gameserver.waiting import cancel_and_wait
from tests.support.deployment import connected
from tests.support.replicas import replica_of


async def promote(server: PostgresServer) -> None:
    """Starts a server that is down on the next timeline, as a standby that takes its place."""
    (server._folder / "standby.signal").touch()

    async def provide() -> None:
        """A server in recovery takes no roles."""

    server._provide = provide  # type: ignore[method-assign]
    try:
        await server.start()
    finally:
        del server._provide
    async with connected(SecretStr(server.superuser_url)) as connection:
        assert await connection.fetchval("select pg_promote()")


async def standby_of(server: PostgresServer, port: int, folder: Path) -> PostgresReplica:
    """A replica that follows a server, which it reaches at this port."""
    primary = copy.copy(server)
    primary.port = port
    replica = replica_of(primary, folder, f"{server.name}-standby")
    await replica.start()
    return replica


async def back_up(server: PostgresServer, folder: Path) -> PostgresReplica:
    """A copy of a server that runs, at rest."""
    replica = await standby_of(server, server.port, folder)
    await replica.stop()
    return replica


async def restore(server: PostgresServer, backup: PostgresReplica) -> None:
    """Puts a server back to its backup, on another timeline."""
    server.kill()
    await server.stop()
    await asyncio.to_thread(shutil.rmtree, server._folder)
    await asyncio.to_thread(shutil.copytree, backup._folder, server._folder)
    (server._folder / "postgresql.auto.conf").write_text("")
    await promote(server)


@asynccontextmanager
async def reconciling(core: Core) -> AsyncIterator[None]:
    """A node's upkeep that opens databases again, follows the map and carries moves on."""
    tasks = [
        asyncio.create_task(reconcile_for_ever(provision.reconciler_of(core.settings, core.databases))),
        asyncio.create_task(core.slots.run()),
        asyncio.create_task(take_over_for_ever(core.sharding)),
    ]
    try:
        yield
    finally:
        assert not any(task.done() for task in tasks), "what runs by itself has ended"
        await cancel_and_wait(tasks)
