"""Moments as clients see them, however they come in."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from gameserver.times import moment_in_utc, rfc3339, rfc3339_of_microseconds, rfc3339_of_seconds

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def test_a_moment_is_written_in_utc_with_milliseconds() -> None:
    moment = datetime(2026, 1, 31, 13, 0, 0, 999_999, tzinfo=timezone(timedelta(hours=1)))
    assert rfc3339(moment) == "2026-01-31T12:00:00.999Z"
    assert rfc3339_of_seconds(1_769_860_800) == "2026-01-31T12:00:00.000Z"


@given(st.integers(min_value=0, max_value=4_000_000_000_000_000))
def test_microseconds_are_written_as_the_same_moment_is(microseconds: int) -> None:
    assert rfc3339_of_microseconds(microseconds) == rfc3339(EPOCH + timedelta(microseconds=microseconds))


@given(st.datetimes(timezones=st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))))
def test_what_is_read_is_the_same_moment_or_none_in_utc(moment: datetime) -> None:
    read = moment_in_utc(moment.isoformat())
    if 1 < moment.year < 9999:
        assert read == moment
    assert read is None or (read.tzinfo is UTC and rfc3339(read))


def test_a_moment_that_utc_cannot_name_and_one_without_an_offset_are_none() -> None:
    texts = (
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "2026-01-31T12:00:00",
        "soon",
        "2026-02-30T00:00Z",
        "2030-W01-1T00:00:00Z",
        "2026-01-31 12:00:00Z",
        "20260131T120000Z",
        "2026-01-31T12:00:00+0100",
        "２026-01-31T12:00:00Z",
    )
    assert {moment_in_utc(text) for text in texts} == {None}
