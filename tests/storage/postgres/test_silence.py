"""Whoever waits for a database that falls silent is let go by its own deadline, without waiting for goodbyes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import pytest
from sqlalchemy import text

from gameserver.config.settings import Settings
from gameserver.rules.errors import DatabaseUnavailable
from gameserver.storage.postgres import database as databases
from gameserver.storage.postgres import pools
from gameserver.storage.postgres.database import Database
from tests.support.freezing import frozen
from tests.support.servers import Servers
from tests.support.wait import wait_until

ONE = text("select 1")
Use = Callable[[Database], Awaitable[object]]


async def transaction(database: Database) -> None:
    async with database.transaction() as connection:
        await connection.execute(ONE)


async def snapshot(database: Database) -> None:
    async with database.snapshot() as connection:
        await connection.execute(ONE)


async def ask(database: Database) -> None:
    await database.ask("select 1")


async def report(database: Database) -> None:
    async with database.report(asyncio.get_running_loop().time() + databases.QUERY_SECONDS) as opened:
        await opened.ask(ONE, {})


@pytest.fixture
async def database(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Database]:
    """A database to whose connections any goodbye lasts for ever."""

    async def close(self: asyncpg.Connection, *, timeout: float | None = None) -> None:
        if not self.is_closed():
            await asyncio.Event().wait()

    monkeypatch.setattr(databases, "QUERY_SECONDS", 1.0)
    opened = Database("two", settings.database_url("two"))
    with monkeypatch.context() as patched:
        patched.setattr(asyncpg.Connection, "close", close)
        yield opened
    await opened.dispose()


async def works_again(database: Database, use: Use) -> None:
    """In its time of a second, sooner or later: a server that has just thawed may be slow."""

    async def is_used() -> bool:
        with contextlib.suppress(DatabaseUnavailable):
            await use(database)
            return True
        return False

    await wait_until(is_used, 30, "the database is used again")


@pytest.mark.parametrize("use", [transaction, snapshot, ask, report])
async def test_a_statement_ends_by_its_deadline_when_its_database_falls_silent(
    servers: Servers, database: Database, use: Use
) -> None:
    await use(database)
    with frozen(servers.postgres["two"]), pytest.raises(DatabaseUnavailable):
        await asyncio.wait_for(asyncio.ensure_future(use(database)), 30)
    await works_again(database, use)


@pytest.mark.parametrize("use", [transaction, snapshot, ask, report])
async def test_whoever_gives_up_waiting_is_let_go_at_once(servers: Servers, database: Database, use: Use) -> None:
    await use(database)
    with frozen(servers.postgres["two"]):
        waiting = asyncio.ensure_future(use(database))
        await asyncio.wait([waiting], timeout=0.2)
        waiting.cancel()
        assert (await asyncio.wait([waiting], timeout=30))[0]
    await works_again(database, use)


async def test_a_report_that_is_cut_between_two_steps_of_the_driver_is_a_database_that_does_not_answer(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    get = asyncpg.Connection._get_statement

    async def get_late(self: asyncpg.Connection, *arguments: object, **more: object) -> object:
        await wait_until(self.is_closed)
        return await get(self, *arguments, **more)

    await report(database)
    with monkeypatch.context() as patched:
        patched.setattr(asyncpg.Connection, "_get_statement", get_late)
        with pytest.raises(DatabaseUnavailable):
            async with database.report(asyncio.get_running_loop().time() + 0.5) as opened:
                await opened.ask(text("select 2"), {})
    await report(database)


async def test_a_connection_that_is_in_a_transaction_goes_to_nobody_else(database: Database) -> None:
    for _ in range(3):
        async with database._opened(isolation_level="AUTOCOMMIT") as connection:
            driver = pools.driver_of(await connection.get_raw_connection())
            await driver.execute("begin isolation level repeatable read")
            assert await driver.fetchval("select pg_current_xact_id_if_assigned()") is None
    [(isolation,)] = await database.ask("select current_setting('transaction_isolation')")
    assert isolation == "read committed"
