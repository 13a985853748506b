"""When the clocks of a time zone change, and at which instants they show a time of day.

Instants are in UTC, local times have no zone; both are whole seconds.
"""

from datetime import UTC, datetime, timedelta, tzinfo

SECOND = timedelta(seconds=1)
_STEP = timedelta(hours=12)
"""No zone changes its clocks twice in this time."""


def local(zone: tzinfo, instant: datetime) -> datetime:
    """What the zone's clocks show."""
    return instant.astimezone(zone).replace(tzinfo=None, fold=0)


def offset(zone: tzinfo, instant: datetime) -> timedelta:
    """How far the zone's clocks are ahead of UTC."""
    return local(zone, instant) - instant.replace(tzinfo=None)


def first_change(zone: tzinfo, start: datetime, end: datetime) -> datetime | None:
    """The first instant after `start` and not after `end` at which the clocks change."""
    while start < end:
        reached = min(start + _STEP, end)
        if offset(zone, start) != offset(zone, reached):
            return _change(zone, start, reached)
        start = reached
    return None


def last_change(zone: tzinfo, start: datetime, end: datetime) -> datetime | None:
    """The last instant after `start` and not after `end` at which the clocks change."""
    while start < end:
        reached = max(end - _STEP, start)
        if offset(zone, reached) != offset(zone, end):
            return _change(zone, reached, end)
        end = reached
    return None


def _change(zone: tzinfo, start: datetime, end: datetime) -> datetime:
    """The change between two instants with different offsets: after `start`, not after `end`."""
    before = offset(zone, start)
    while end - start > SECOND:
        middle = start + (end - start) // 2
        middle = middle.replace(microsecond=0)
        if offset(zone, middle) == before:
            start = middle
        else:
            end = middle
    return end


def first_reached(zone: tzinfo, shown: datetime) -> datetime:
    """The first instant at which the clocks show this local time or, if they skip it, a later one."""
    instant = shown.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if local(zone, instant) == shown:
        return instant
    # Skipped: by the offset before the change it is after it, and the other way round.
    return _change(zone, shown.replace(tzinfo=zone, fold=1).astimezone(UTC), instant)


def latest_shown(zone: tzinfo, instant: datetime) -> datetime:
    """The latest local time that the clocks have shown until this instant: later than now after they went back."""
    here = instant.astimezone(zone)
    if not here.fold:
        return here.replace(tzinfo=None)
    first_time = here.replace(fold=0).astimezone(UTC)
    return local(zone, _change(zone, first_time, instant) - SECOND)
