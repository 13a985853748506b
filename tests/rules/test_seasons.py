"""Seasons follow one another without a gap, end when planned, and follow time zones and daylight saving."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameserver.rules.schedule import Schedule
from gameserver.rules.seasons import Season, next_season, season_at

WEEKLY = Schedule.parse("0 0 * * 1", "Asia/Seoul")
moments = st.datetimes(datetime(2024, 1, 1), datetime(2034, 1, 1)).map(lambda moment: moment.replace(tzinfo=UTC))  # noqa: DTZ001
schedules = st.sampled_from(
    [WEEKLY, Schedule.parse("*/7 * * * *", "UTC"), Schedule.parse("30 2 * * *", "Europe/Berlin"),
     Schedule.parse("0 0 1 * *", "America/New_York")]
)  # fmt: skip


@given(schedules, moments)
def test_a_moment_is_within_its_season_and_the_next_begins_where_it_ends(schedule: Schedule, moment: datetime) -> None:
    season = season_at(schedule, (), moment)
    assert season.start <= moment.timestamp() < season.end
    after = next_season(schedule, season)
    assert after.start == season.end < after.end
    assert season_at(schedule, (), datetime.fromtimestamp(season.end, UTC)).start == season.end
    assert season_at(schedule, (), datetime.fromtimestamp(season.end - 1, UTC)) == season


@given(schedules, moments, st.integers(1, 10**6))
def test_a_season_that_has_begun_ends_as_planned_at_its_start(schedule: Schedule, moment: datetime, lasts: int) -> None:
    start = int(moment.timestamp())
    begun = [Season(start - 100, start), Season(start, start + lasts)]
    for second in (start, start + lasts - 1):
        assert season_at(schedule, begun, datetime.fromtimestamp(second, UTC)) == begun[1]
    assert season_at(schedule, begun, datetime.fromtimestamp(start + lasts, UTC)).start == start + lasts
    long_after = datetime.fromtimestamp(start + lasts, UTC) + timedelta(days=400)
    late = season_at(schedule, begun, long_after)
    assert late.start <= long_after.timestamp() < late.end


@given(schedules, moments, moments, st.integers(60, 10**7), st.integers(1, 10**6))
def test_a_moment_is_within_its_season_wherever_known_seasons_leave_a_gap(
    schedule: Schedule, moment: datetime, first: datetime, lasts: int, pause: int
) -> None:
    start = int(first.timestamp())
    second = start + lasts + pause
    begun = [Season(start, start + lasts), Season(second, second + lasts)]
    season = season_at(schedule, begun, moment)
    assert season.start <= moment.timestamp() < season.end
    for known in begun:
        assert season == known or season.end <= known.start or known.end <= season.start


def test_a_week_begins_on_monday_in_seoul() -> None:
    season = season_at(WEEKLY, (), datetime(2026, 11, 25, 12, tzinfo=UTC))
    assert datetime.fromtimestamp(season.start, UTC) == datetime(2026, 11, 22, 15, tzinfo=UTC)
    assert season.end - season.start == 7 * 86_400


@pytest.mark.parametrize("cron", ["0 0 31 2 *", "0 0 30 2 *", "61 * * * *", "* * * *", "", "0 0 * * * *", "x y z a b"])
def test_what_never_fires_is_no_schedule(cron: str) -> None:
    with pytest.raises(ValueError, match="cron"):
        Schedule.parse(cron, "UTC")


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../etc/passwd", "KST-9x"])
def test_what_isnt_a_zone_is_no_schedule(zone: str) -> None:
    with pytest.raises(ValueError, match="zone"):
        Schedule.parse("0 0 * * *", zone)
