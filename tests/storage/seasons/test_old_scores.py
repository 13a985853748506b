"""Scores of seasons that were closed long ago are deleted, and no others."""

from datetime import UTC, datetime, timedelta

from gameserver.app import Core
from gameserver.rules.seasons import Season
from gameserver.storage.seasons import old_scores
from gameserver.storage.seasons.old_scores import KEPT, long_closed
from gameserver.storage.seasons.records import SeasonRecord
from tests.support.deployment import connected, enlist

NOW = datetime(2026, 11, 28, tzinfo=UTC)
INSERT = "insert into scores values ($1, $2, $3, $4, 1, now(), 1)"


def record(start: int, state: str, age: timedelta, board: str = "weekly") -> SeasonRecord:
    return SeasonRecord(board, Season(start, start + 10), state, None, NOW - age)


def test_only_seasons_that_were_closed_long_ago_are_forgotten() -> None:
    old, new = KEPT + timedelta(days=1), KEPT - timedelta(days=1)
    assert long_closed([], NOW) == []
    assert long_closed([record(10, "closed", new), record(20, "running", old), record(30, "counted", old)], NOW) == []
    records = [record(10, "closed", old), record(20, "closed", new), record(30, "closed", old, "daily")]
    assert long_closed(records, NOW) == [("weekly", 10), ("daily", 30)]


async def test_without_an_old_season_no_database_is_asked(core: Core) -> None:
    database = core.databases["one"]
    await database.engine.dispose()
    assert await old_scores.forget(database, []) == 0
    assert database.engine.pool.checkedin() == 0  # type: ignore[attr-defined]


async def test_only_scores_of_those_seasons_and_of_owned_slots_go(core: Core) -> None:
    """A season that begins amid the sweep isn't known to it, and may have begun by its calendar long ago."""
    player = await enlist(core, database="one")
    slot = player.id >> 10 & 4095
    for name in ("one", "two"):
        async with connected(core.databases[name].url) as connection:
            for board, season in (("weekly", 0), ("weekly", 10), ("yearly", 5), ("yearly", 10), ("weekly", 20)):
                await connection.execute(INSERT, slot, player.id, board, season)
    closed = [("weekly", 10), ("daily", 5), ("weekly", 0)]
    deleted = [await old_scores.forget(core.databases[name], closed) for name in ("one", "two")]
    assert deleted == [1, 0]
    async with connected(core.databases["one"].url) as connection:
        asked = "select board, season from scores where player_id = $1 order by 1, 2"
        rows = [tuple(row) for row in await connection.fetch(asked, player.id)]
    assert rows == [("weekly", 0), ("weekly", 20), ("yearly", 5), ("yearly", 10)]
