"""A synchronous standby that isn't there, and the transactions that wait for it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import asyncpg

from gameserver.app import Core
from tests.support.deployment import superuser
from tests.support.servers import Servers
from tests.support.wait import wait_until

WAITING = "select pid from pg_stat_activity where application_name = 'gameserver' and wait_event = $1"


async def backend_in(connection: asyncpg.Connection, event: str, other_than: int = 0) -> int:
    """The process of the node's transaction that waits for this."""
    found: list[int] = []

    async def is_there() -> bool:
        found[:] = [row["pid"] for row in await connection.fetch(WAITING, event) if row["pid"] != other_than]
        return bool(found)

    await wait_until(is_there, what=f"a transaction waits in {event}")
    return found[0]


@asynccontextmanager
async def missing_standby(servers: Servers, core: Core) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Commits on the server `one` wait for a standby that isn't there, until the block or what it gives is called."""
    async with superuser(servers, core, "one") as connection, superuser(servers, core, "one") as probe:

        async def commits_wait() -> bool:
            commit = asyncio.create_task(
                probe.execute("select pg_logical_emit_message(true, 'test', ''), txid_current()")
            )
            while not commit.done():
                asked = "select wait_event = 'SyncRep' from pg_stat_activity where pid = $1"
                if await connection.fetchval(asked, probe.get_server_pid()):
                    await connection.execute("select pg_cancel_backend($1)", probe.get_server_pid())
                    await commit
                    return True
            return False

        async def arrive() -> None:
            await connection.execute("alter system reset synchronous_standby_names")
            await connection.execute("select pg_reload_conf()")

        try:
            await connection.execute("alter system set synchronous_standby_names = 'nobody'")
            await connection.execute("select pg_reload_conf()")
            await wait_until(commits_wait, what="commits wait for the standby")
            yield arrive
        finally:
            await arrive()
