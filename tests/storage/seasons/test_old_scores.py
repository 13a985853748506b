"""Scores of seasons that were closed long ago are deleted, and no others."""

from datetime import UTC, datetime, timedelta

from gameserver.app import Core
from gameserver.rules.seasons import Season
from gameserver.storage.seasons import old_scores
from gameserver.storage.seasons.old_scores import KEPT, oldest_start
from gameserver.storage.seasons.records import SeasonRecord
from tests.support.deployment import connected, enlist

NOW = datetime(2026, 11, 28, tzinfo=UTC)
INSERT = "insert into scores values ($1, $2, $3, $4, 1, now(), 1)"


def record(start: int, state: str, age: timedelta, board: str = "weekly") -> SeasonRecord:
    return SeasonRecord(board, Season(start, start + 10), state, None, NOW - age)


def test_a_season_that_is_open_or_was_closed_lately_keeps_all_later_ones() -> None:
    old, new = KEPT + timedelta(days=1), KEPT - timedelta(days=1)
    assert oldest_start([], NOW) == 0
    assert oldest_start([record(10, "closed", old), record(20, "closed", old)], NOW) == 21
    assert oldest_start([record(10, "closed", old), record(20, "closed", new), record(30, "running", old)], NOW) == 20


def test_as_long_as_no_season_is_old_there_is_nothing_to_delete() -> None:
    old, new = KEPT + timedelta(days=1), KEPT - timedelta(days=1)
    assert oldest_start([], NOW) == 0
    assert oldest_start([record(10, "closed", new), record(20, "running", new)], NOW) == 0
    assert oldest_start([record(10, "counted", old), record(20, "closed", old)], NOW) == 0


async def test_without_an_old_season_no_database_is_asked(core: Core) -> None:
    database = core.databases["one"]
    await database.engine.dispose()
    assert await old_scores.forget(database, 0) == 0
    assert database.engine.pool.checkedin() == 0  # type: ignore[attr-defined]


async def test_only_old_scores_of_owned_slots_go(core: Core) -> None:
    player = await enlist(core, database="one")
    slot = player.id >> 10 & 4095
    for name in ("one", "two"):
        async with connected(core.databases[name].url) as connection:
            for season in (0, 10, 20, 30):
                await connection.execute(INSERT, slot, player.id, "weekly", season)
    deleted = [await old_scores.forget(core.databases[name], 20) for name in ("one", "two")]
    assert deleted == [1, 0]
    async with connected(core.databases["one"].url) as connection:
        rows = await connection.fetch("select season from scores where player_id = $1 order by 1", player.id)
    assert [row["season"] for row in rows] == [0, 20, 30]
