"""An export's snapshots last while databases sort, and while its reader takes lines."""

import asyncio
from contextlib import aclosing

import pytest

from gameserver.app import Core
from gameserver.rules.errors import DatabaseUnavailable
from gameserver.storage.operators import exports
from gameserver.storage.operators.exports import Exports
from gameserver.storage.operators.questions import Question
from gameserver.waiting import next_part
from tests.support.deployment import connected, enlist
from tests.support.wait import wait_until

EVERYONE = Question("exp", 100)
IDLE_SECONDS = 0.2


@pytest.fixture(autouse=True)
def quickly_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "CHUNK", 1)
    monkeypatch.setattr(
        exports, "IDLE_ONCE_SORTED", f"set idle_in_transaction_session_timeout = {int(1000 * IDLE_SECONDS)}"
    )


async def test_a_reader_that_takes_no_more_lines_is_cut_off(core: Core) -> None:
    for database in ("one", "two") * 5:
        await enlist(core, database=database)
    async with aclosing(Exports(core.slots).ranking(EVERYONE, "csv")) as parts:
        assert await next_part(parts)
        await wait_until(lambda: _is_over(core), what="the snapshot of an idle reader has ended")
        with pytest.raises(DatabaseUnavailable):
            async for _ in parts:
                pass


async def test_a_database_that_has_sorted_waits_for_the_others(core: Core) -> None:
    players = [await enlist(core, database=database) for database in ("one", "two") * 5]
    exporting = Exports(core.slots).ranking(EVERYONE, "csv")
    async with aclosing(exporting) as parts, connected(core.databases["two"].url) as holder:
        async with holder.transaction():
            await holder.execute("lock table players in access exclusive mode")
            first = asyncio.create_task(next_part(parts))
            await asyncio.sleep(3 * IDLE_SECONDS)
            assert not first.done()
        lines = [*await first]
        async for part in parts:
            lines += part
    assert len(lines) == len(players)


async def _is_over(core: Core) -> bool:
    """Whether no transaction of a database is idle."""
    async with connected(core.databases["one"].url) as connection:
        query = "select count(*) from pg_stat_activity where state = 'idle in transaction' and datname = current_database()"
        return await connection.fetchval(query) == 0
