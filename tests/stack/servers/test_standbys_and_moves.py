"""Under `synchronous_standby_names = '*'` a subscription stands in for a standby, if its slot waits for none."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import asyncpg
import pytest
from pydantic import SecretStr

from gameserver.rules.errors import Conflict
from gameserver.stack.servers.postgres import PostgresServer
from gameserver.storage.postgres.database import Database
from gameserver.storage.sharding.copying import CREATE_SLOT, require_fit
from gameserver.storage.sharding.subscribing import subscribe
from tests.support.wait import wait_until

Make = Callable[..., PostgresServer]
NAME, STANDBY = "a_move", "one_2"


class Source(NamedTuple):
    """A primary: a connection to it, and its address."""

    connection: asyncpg.Connection
    url: str


@asynccontextmanager
async def connected(server: PostgresServer) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(server.superuser_url, command_timeout=20)
    try:
        yield connection
    finally:
        connection.terminate()


@pytest.fixture
async def source(postgres: Make) -> AsyncIterator[Source]:
    """A primary in Patroni's strict mode without a standby, which has a slot for the one that is away."""
    server = postgres()
    await server.start()
    async with connected(server) as connection:
        await connection.execute("create table written (value int primary key)")
        await connection.execute(f"create publication {NAME} for table written")
        await connection.fetch("select pg_create_physical_replication_slot($1, true)", STANDBY)
        await connection.execute("alter system set synchronous_standby_names = '*'")
        await connection.execute(f"alter system set synchronized_standby_slots = '{STANDBY}'")
        await connection.execute("select pg_reload_conf()")

        async def holds() -> bool:
            return bool(await connection.fetchval("show synchronous_standby_names") == "*")

        await wait_until(holds, what="the primary waits for any standby")
        yield Source(connection, server.superuser_url)


@pytest.fixture
async def target(postgres: Make, folder: Path) -> AsyncIterator[asyncpg.Connection]:
    server = postgres(folder / "two")
    await server.start()
    async with connected(server) as connection:
        await connection.execute("create table written (value int primary key)")
        yield connection


async def is_acknowledged(connection: asyncpg.Connection, value: int) -> bool:
    try:
        await connection.execute(f"insert into written values ({value})", timeout=3)
    except TimeoutError:
        return False
    return True


async def moves(source: Source, target: asyncpg.Connection, *, behind: bool) -> None:
    """A subscription as a move of slots makes it."""
    await source.connection.fetchval(CREATE_SLOT[behind], NAME)
    await subscribe(target, NAME, source.url, behind_standbys=behind)

    async def is_connected() -> bool:
        query = "select exists (select from pg_replication_slots where slot_name = $1 and active)"
        return bool(await source.connection.fetchval(query, NAME))

    await wait_until(is_connected, 30, "the subscription is connected")


async def test_a_subscription_that_waits_for_no_standby_acknowledges_in_its_place(
    source: Source, target: asyncpg.Connection
) -> None:
    await moves(source, target, behind=False)
    await source.connection.execute("insert into written values (1)", timeout=20)


async def test_a_move_acknowledges_nothing_in_place_of_a_standby(source: Source, target: asyncpg.Connection) -> None:
    await moves(source, target, behind=True)
    assert not await is_acknowledged(source.connection, 1)
    assert await target.fetchval("select count(*) from written") == 0
    await source.connection.execute("alter system set synchronized_standby_slots = ''")
    await source.connection.execute("select pg_reload_conf()")
    await source.connection.execute("insert into written values (2)", timeout=20)


async def test_no_move_begins_whose_copy_would_stand_in_for_a_standby(source: Source) -> None:
    database = Database("one", SecretStr(source.url))
    await require_fit(database, database)
    await source.connection.execute("alter system set synchronized_standby_slots = ''")
    await source.connection.execute("select pg_reload_conf()")

    async def is_refused() -> bool:
        try:
            await require_fit(database, database)
        except Conflict as conflict:
            return "a move would count as one" in conflict.detail
        return False

    await wait_until(is_refused, what="the move is refused")
    await source.connection.execute("alter system set synchronous_standby_names = 'one_2'")
    await source.connection.execute("select pg_reload_conf()")

    async def fits() -> bool:
        return not await is_refused()

    await wait_until(fits, what="a move is allowed that commits don't wait for")
