"""When seasons end: a cron expression (five fields, by the minute) in a time zone, to and from UTC.

Law: for every moment `until(moment) <= moment < after(moment)`, and nothing fires between the two; so each of two
neighbouring times of a schedule leads to the other, also in the hour that comes twice when clocks go back.
The cron expression is only ever asked about local times, as if clocks never changed.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from gameserver.rules.clock_changes import (
    SECOND,
    first_change,
    first_reached,
    last_change,
    latest_shown,
    local,
    offset,
)

FIELDS = 5
_SAMPLE = datetime(2024, 2, 28, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Schedule:
    """Follows Debian's cron when clocks change.

    A schedule of given times (neither its minute nor its hour begins with `*`) fires once at each of them: when
    clocks first show it or, if they skip it, when they skip it. Any other fires whenever clocks show one of its times.
    """

    cron: str
    zone: str = "UTC"

    @classmethod
    def parse(cls, cron: str, zone: str) -> Self:
        """Raises ValueError, with a sentence, if the expression never fires or the zone doesn't exist."""
        try:
            ZoneInfo(zone)
        except (KeyError, ValueError, OSError):
            raise ValueError(f"there is no time zone {zone!r}") from None
        if len(cron.split()) != FIELDS:
            raise ValueError(f"{cron!r} isn't a cron expression of {FIELDS} fields")
        schedule = cls(cron, zone)
        try:
            schedule.after(_SAMPLE)
        except CronSimError as error:
            raise ValueError(f"{cron!r} isn't a cron expression: {str(error).lower()}") from None
        except StopIteration:
            raise ValueError(f"{cron!r} never fires") from None
        return schedule

    @property
    def is_of_one_machine(self) -> bool:
        """Whether other machines may have another zone of this name, or other leap seconds in it, or none at all."""
        return self.zone in ("localtime", "posixrules") or self.zone.startswith("right/")

    def after(self, moment: datetime) -> datetime:
        """The first time after a moment at which it fires, in UTC."""
        zone, instant = ZoneInfo(self.zone), _whole_second(moment)
        if self._fires_once_a_time:
            return first_reached(zone, self._first_after(latest_shown(zone, instant)))
        # It fires as if clocks didn't change, unless they change first.
        while True:
            ahead = offset(zone, instant)
            due = _instant(self._first_after(local(zone, instant)), ahead)
            change = first_change(zone, instant, due)
            if change is None:
                return due
            if self._last_until(local(zone, change)) == local(zone, change):
                return change
            instant = change

    def until(self, moment: datetime) -> datetime:
        """The last time at or before a moment at which it fired, in UTC."""
        zone, instant = ZoneInfo(self.zone), _whole_second(moment)
        if self._fires_once_a_time:
            return first_reached(zone, self._last_until(latest_shown(zone, instant)))
        # It fired as if clocks hadn't changed, unless they have changed since.
        while True:
            ahead = offset(zone, instant)
            fired = _instant(self._last_until(local(zone, instant)), ahead)
            change = last_change(zone, fired, instant)
            if change is None:
                return fired
            instant = change - SECOND

    @property
    def _fires_once_a_time(self) -> bool:
        minute, hour, *_ = self.cron.split()
        return not minute.startswith("*") and not hour.startswith("*")

    def _first_after(self, shown: datetime) -> datetime:
        """The first of its local times after this one."""
        return next(CronSim(self.cron, shown))

    def _last_until(self, shown: datetime) -> datetime:
        """The last of its local times that isn't after this one."""
        return next(CronSim(self.cron, shown + SECOND, reverse=True))


def _whole_second(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)


def _instant(shown: datetime, ahead: timedelta) -> datetime:
    return (shown - ahead).replace(tzinfo=UTC)
