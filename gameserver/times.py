"""How moments are written for clients, operators and Redis: RFC 3339 in UTC, in milliseconds, with a `Z`; and read.

Only the header `Date` is written as HTTP wants it.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import formatdate
from functools import lru_cache

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)", re.ASCII)


def rfc3339(moment: datetime) -> str:
    """`2026-01-31T12:00:00.000Z`. The moment must carry a time zone."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return moment.isoformat(timespec="milliseconds")[:-6] + "Z"


def moment_in_utc(text: str) -> datetime | None:
    """The moment of RFC 3339 with an offset, or of that without seconds.

    None for anything else: outside of the years 1 to 9999 of UTC, and what Python reads besides, such as weeks.
    """
    if not _MOMENT.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(text)
        return None if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def rfc3339_of_seconds(seconds: float) -> str:
    """Of Unix seconds."""
    return rfc3339(datetime.fromtimestamp(seconds, UTC))


def rfc3339_of_microseconds(microseconds: int) -> str:
    """Of Unix microseconds. The second is cached: a board's page has many moments that lie close together."""
    second, rest = divmod(microseconds, 1_000_000)
    return f"{_date_and_time(second)}.{rest // 1000:03d}Z"


@lru_cache(maxsize=65_536)
def _date_and_time(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")


class HttpDate:
    """The present moment for the header `Date`: `Sat, 31 Jan 2026 12:00:00 GMT`, written once a second."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock` gives Unix seconds."""
        self._clock = clock
        self._second, self._written = 0, ""

    def __call__(self) -> str:
        second = int(self._clock())
        if second != self._second:
            self._second, self._written = second, formatdate(second, usegmt=True)
        return self._written
