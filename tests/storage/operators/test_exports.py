"""An export's snapshots last while databases sort, and while its reader takes lines."""

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
SERVER = "concat(current_setting('port'), current_database())"
"""What tells databases apart."""


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


async def test_a_database_that_has_sorted_waits_for_the_others(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    players = [await enlist(core, database=database) for database in ("one", "one", "two")]
    async with connected(core.databases["two"].url) as connection:
        slow = await connection.fetchval(f"select {SERVER}")
    line = f"(select concat(p.id, case {SERVER} when '{slow}' then pg_sleep({3 * IDLE_SECONDS}) end))"
    monkeypatch.setitem(exports.LINES, "csv", line)
    async with aclosing(Exports(core.slots).ranking(EVERYONE, "csv")) as parts:
        lines = [line async for part in parts for line in part]
    assert sorted(lines) == sorted(str(player.id) for player in players)


async def _is_over(core: Core) -> bool:
    """Whether no transaction of a database is idle."""
    query = """
        select not exists (
            select from pg_stat_activity where state = 'idle in transaction' and datname = current_database())
    """
    async with connected(core.databases["one"].url) as connection:
        return bool(await connection.fetchval(query))
