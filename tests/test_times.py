"""Moments as clients see them, however they come in."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from gameserver.times import rfc3339, rfc3339_of_microseconds, rfc3339_of_seconds

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def test_a_moment_is_written_in_utc_with_milliseconds() -> None:
    moment = datetime(2026, 1, 31, 13, 0, 0, 999_999, tzinfo=timezone(timedelta(hours=1)))
    assert rfc3339(moment) == "2026-01-31T12:00:00.999Z"
    assert rfc3339_of_seconds(1_769_860_800) == "2026-01-31T12:00:00.000Z"


@given(st.integers(min_value=0, max_value=4_000_000_000_000_000))
def test_microseconds_are_written_as_the_same_moment_is(microseconds: int) -> None:
    assert rfc3339_of_microseconds(microseconds) == rfc3339(EPOCH + timedelta(microseconds=microseconds))
