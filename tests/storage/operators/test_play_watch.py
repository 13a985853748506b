"""A long read notices play by what the databases write."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gameserver.app import Core
from gameserver.storage.operators import play_watch
from gameserver.storage.operators.play_watch import QUIET, PlayWatch
from gameserver.storage.postgres.driver import DriverConnection
from tests.support.deployment import act, enlist


class Log:
    """Stands for the connection to a database whose log is as long as this says."""

    length = 0.0

    async def fetchval(self, _: str) -> float:
        return self.length


async def looked_at(watch: PlayWatch, **logs: Log) -> bool:
    await asyncio.sleep(0.001)
    for database, log in logs.items():
        connection: Any = log
        await watch.look(database, connection)
    return watch.is_played


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(play_watch, "LOOK_SECONDS", 0)


async def test_play_is_what_makes_the_log_of_one_of_the_databases_longer() -> None:
    watch, one, two = PlayWatch(), Log(), Log()
    assert await looked_at(watch, one=one, two=two), "nothing is known yet"
    assert not await looked_at(watch, one=one, two=two)
    two.length += 1000 * QUIET
    assert await looked_at(watch, one=one, two=two)
    assert await looked_at(watch, one=one), "of the other one nothing else is known"
    assert not await looked_at(watch, one=one, two=two)


@pytest.fixture
async def connection(core: Core) -> AsyncIterator[DriverConnection]:
    opened = await core.databases["one"].connect({})
    try:
        yield opened
    finally:
        opened.terminate()


async def test_a_database_that_is_played_on_is_written_to(core: Core, connection: DriverConnection) -> None:
    watch = PlayWatch()
    player = await enlist(core, database="one")
    await watch.look("one", connection)
    for _ in range(20):
        await act(core, player.id)
    await watch.look("one", connection)
    assert watch.is_played
