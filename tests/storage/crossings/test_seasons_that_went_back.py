"""A database goes back to a moment before a season was closed: one of the players', or the control database."""

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gameserver.app import Core
from gameserver.config.settings import Settings
from gameserver.rules.seasons import Season
from tests.storage.crossings.test_crossings import reconciled, undone
from tests.storage.seasons.test_season_faults import WEEK, exp, gives, judge, this_week, weekly
from tests.storage.seasons.test_seasons import BOARDS, attend, rewards, scored, standings, until_closed
from tests.support.deployment import act, connected, enlist, with_actions, working
from tests.support.servers import Servers


@pytest.fixture
def scoring(settings: Settings, tmp_path: Path) -> Settings:
    return with_actions(settings, tmp_path, BOARDS, score="tests.storage.seasons.scoring_actions:score")


async def exp_of(core: Core, ids: list[int]) -> list[int]:
    return [await exp(core, player) for player in ids]


async def test_rewards_of_players_that_went_back_are_sent_again_and_none_arrives_twice(
    servers: Servers, scoring: Settings
) -> None:
    async with working(scoring) as core:
        now = this_week(core)
        season = Season(now.start - WEEK, now.start)
        await core.rooms.seasons.records.begin(weekly(core), season)
        ids = [(await enlist(core, database=database)).id for database in ("two", "one", "two", "one", "two")]
        for player, score in zip(ids, (9, 8, 7, 6, 5), strict=True):
            await gives(core, player, season.start, score)
    since = datetime.now(UTC)
    async with undone(servers, scoring, "two"), working(scoring) as core:
        await until_closed(core, season)
        assert await exp_of(core, ids) == [100, 10, 10, 0, 0]
        await judge(core, ids[-1])
        shown = await standings(core, season)
    found = await reconciled(scoring, "two", since)
    assert [row["player"] for row in found["rewards_again"].listed] == [str(ids[0]), str(ids[2])]
    assert [row["player"] for row in found["standings_corrected"].listed] == [str(ids[-1])]
    async with working(scoring) as core:
        assert await exp_of(core, ids) == [0, 10, 0, 0, 0]
        await until_closed(core, season)
        assert await exp_of(core, ids) == [100, 10, 10, 0, 0]
        assert await standings(core, season) == [*shown, (5, 5, ids[-1])], "nobody is banned any more"
    async with connected(scoring.database_url("one")) as control:
        await control.execute("update season_standings set rewarded = 'unknown' where player_id = $1", ids[2])
    again = await reconciled(scoring, "two", since)
    assert [row["player"] for row in again["rewards_unknown"].listed] == [str(ids[2])]
    assert again["rewards_again"].count == again["standings_corrected"].count == 0


async def test_seasons_that_the_control_database_forgot_end_when_they_did_and_are_rewarded_once(
    servers: Servers, scoring: Settings
) -> None:
    async with working(scoring) as core:
        await attend(core)
        now = this_week(core)
        here, there = await enlist(core, database="one"), await enlist(core, database="two")
        for player, kills in ((here, 3), (there, 5)):
            await act(core, player.id, "score", points={"kills": kills})
    since = datetime.now(UTC)
    async with undone(servers, scoring, "one"), working(scoring) as core:
        season = Season(now.start, int(time.time()) + 1)
        await core.rooms.seasons.records.end_early("weekly", season.start, season.end)
        await until_closed(core, season)
        shown = await standings(core, season)
        await act(core, there.id, "score", points={"kills": 7})
        assert [len(await rewards(core, player)) for player in (here, there)] == [1, 1]
    found = await reconciled(scoring, "one", since)
    assert found["seasons_learnt"].listed == [{"board": "weekly", "season": season.start, "end": season.end}]
    assert found["seasons_counted_again"].count == 1
    async with working(scoring) as core:
        await until_closed(core, season)
        assert await standings(core, season) == shown
        assert [await exp(core, player.id) for player in (here, there)] == [10, 100]
        assert [len(await rewards(core, player)) for player in (here, there)] == [1, 1]
        assert (await scored(core))[season.end] == {there.id: [7]}
        begun = [record.season.start for record in await core.rooms.seasons.records.all() if record.board == "weekly"]
        assert begun == [season.start, season.end]
