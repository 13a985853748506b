"""A schedule's times follow one another in every zone: nothing is fired twice or left out when clocks change."""

from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gameserver.rules.clock_changes import first_change, offset
from gameserver.rules.schedule import Schedule
from gameserver.rules.seasons import Season, next_season, season_at

SECOND = timedelta(seconds=1)
YEARS = range(2000, 2037)


@cache
def changes_of(zone: str, year: int) -> list[datetime]:
    """The year's beginning, and every change of the zone's clocks in it."""
    changes, end = [datetime(year, 1, 1, tzinfo=UTC)], datetime(year + 1, 1, 1, tzinfo=UTC)
    while (change := first_change(ZoneInfo(zone), changes[-1], end)) is not None:
        changes.append(change)
    return changes


def fields(low: int, high: int) -> st.SearchStrategy[str]:
    """One field of a cron expression: numbers, ranges, lists, steps and stars."""
    number = st.integers(low, high)
    ranges = st.tuples(number, number).map(sorted).map(lambda ends: f"{ends[0]}-{ends[1]}")
    steps = st.tuples(st.sampled_from(["*"]) | ranges, st.integers(1, high)).map(lambda pair: f"{pair[0]}/{pair[1]}")
    lists = st.lists(number.map(str) | ranges, min_size=1, max_size=3).map(",".join)
    return st.just("*") | number.map(str) | ranges | steps | lists


days = st.tuples(st.just("*") | fields(1, 28), st.just("*") | fields(1, 12), st.just("*") | fields(0, 6))
crons = st.tuples(fields(0, 59), fields(0, 23), days).map(lambda parts: " ".join([parts[0], parts[1], *parts[2]]))
zones = st.sampled_from(sorted(available_timezones()))


@st.composite
def moments_near_changes(draw: st.DrawFn) -> tuple[str, datetime]:
    """A zone, and a moment that is most often near a change of its clocks."""
    zone = draw(zones)
    near = st.timedeltas(timedelta(hours=-30), timedelta(hours=30))
    at = draw(st.sampled_from(changes_of(zone, draw(st.sampled_from(YEARS)))[::-1]))
    return zone, at + draw(st.sampled_from([-SECOND, timedelta(), SECOND]) | near)


def require_law(schedule: Schedule, moment: datetime) -> None:
    before, behind = schedule.until(moment), schedule.after(moment)
    assert before <= moment < behind
    assert schedule.after(before) == behind
    assert schedule.after(before - SECOND) == before
    assert schedule.until(behind) == behind
    assert schedule.until(behind - SECOND) == before


@settings(max_examples=100)
@given(crons, moments_near_changes())
@example("30 2 * * *", ("Europe/Berlin", datetime(2026, 10, 25, 1, 15, tzinfo=UTC)))  # 02:15 for the second time
def test_a_moment_lies_between_two_neighbouring_times_of_every_schedule(cron: str, place: tuple[str, datetime]) -> None:
    zone, moment = place
    require_law(Schedule.parse(cron, zone), moment)


@settings(max_examples=100)
@given(crons, moments_near_changes())
def test_no_finished_season_is_the_present_one_and_no_season_is_left_out(
    cron: str, place: tuple[str, datetime]
) -> None:
    """Also when it is asked again at the season's two ends, with or without the season among those that have begun."""
    require_seasons(cron, place)


def require_seasons(cron: str, place: tuple[str, datetime]) -> None:
    zone, moment = place
    schedule = Schedule.parse(cron, zone)
    season = season_at(schedule, (), moment)
    assert season.start <= moment.timestamp() < season.end
    following = next_season(schedule, season)
    for begun in ((), (season,)):
        assert _season_of(schedule, begun, season.start) == _season_of(schedule, begun, season.end - 1) == season
        assert _season_of(schedule, begun, season.start - 1).end == season.start
        assert _season_of(schedule, begun, season.end) == following


@pytest.mark.soak
@settings(max_examples=5_000)
@given(crons, moments_near_changes())
def test_thousands_of_moments_lie_between_two_times_and_in_one_season(cron: str, place: tuple[str, datetime]) -> None:
    zone, moment = place
    require_law(Schedule.parse(cron, zone), moment)
    require_seasons(cron, place)


def _season_of(schedule: Schedule, begun: tuple[Season, ...], second: int) -> Season:
    return season_at(schedule, begun, datetime.fromtimestamp(second, UTC))


@pytest.mark.parametrize(
    "cron", ["30 2 * * *", "*/20 * * * *", "* * * * *", "15 * * * *", "6,25 0-2 * * *", "* 2 * * *"]
)
@pytest.mark.parametrize("zone", ["Europe/Berlin", "Australia/Lord_Howe", "America/New_York", "Africa/Casablanca"])
def test_every_quarter_of_an_hour_around_the_changes_of_a_year(cron: str, zone: str) -> None:
    schedule = Schedule.parse(cron, zone)
    for change in changes_of(zone, 2026)[1:]:
        for quarter in range(-12, 17):
            require_law(schedule, change + quarter * timedelta(minutes=15))


def fired(cron: str, zone: str, day: datetime) -> list[str]:
    """When it fires on the three days around a day, in UTC."""
    schedule, times, moment = Schedule.parse(cron, zone), [], day - timedelta(days=1)
    while (moment := schedule.after(moment)) < day + timedelta(days=2):
        times.append(f"{moment:%d %H:%M}")
    return times


def test_a_time_that_comes_twice_fires_the_first_time() -> None:
    assert fired("30 2 * * *", "Europe/Berlin", datetime(2026, 10, 25, tzinfo=UTC)) == [
        "24 00:30",
        "25 00:30",
        "26 01:30",
    ]


def test_a_time_that_is_skipped_fires_when_it_is_skipped_and_once() -> None:
    day = datetime(2026, 3, 29, tzinfo=UTC)
    assert fired("30 2 * * *", "Europe/Berlin", day) == ["28 01:30", "29 01:00", "30 00:30"]
    assert fired("10,50 2 * * *", "Europe/Berlin", day) == ["28 01:10", "28 01:50", "29 01:00", "30 00:10", "30 00:50"]


def test_what_fires_every_hour_fires_in_both_of_the_hours_that_look_alike() -> None:
    times = fired("30 * * * *", "Europe/Berlin", datetime(2026, 10, 25, tzinfo=UTC))
    assert len(times) == 3 * 24
    assert times[24:27] == ["25 00:30", "25 01:30", "25 02:30"]


def test_seasons_around_the_hour_that_comes_twice_follow_one_another() -> None:
    zone = ZoneInfo("Europe/Berlin")
    change = first_change(zone, datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC))
    assert change == datetime(2026, 10, 25, 1, tzinfo=UTC)
    assert offset(zone, change) == timedelta(hours=1)
    schedule = Schedule.parse("30 2 * * *", "Europe/Berlin")
    ends = [int(datetime(2026, 10, day, hour, 30, tzinfo=UTC).timestamp()) for day, hour in ((25, 0), (26, 1))]
    for minutes in (-20, 0, 10, 29, 30, 50):
        assert season_at(schedule, (), change + timedelta(minutes=minutes)) == Season(*ends)
    assert schedule.until(change + timedelta(minutes=10)) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert schedule.after(change + timedelta(minutes=10)) == datetime(2026, 10, 26, 1, 30, tzinfo=UTC)
