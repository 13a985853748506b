"""When seasons end: a cron expression (five fields, by the minute) in a time zone, to and from UTC."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

FIELDS = 5
_SAMPLE = datetime(2024, 2, 28, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Schedule:
    """A time of day that doesn't exist or exists twice (daylight saving) fires once, as Debian's cron does."""

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

    def after(self, moment: datetime) -> datetime:
        """The first time after a moment at which it fires, in UTC."""
        return next(CronSim(self.cron, moment.astimezone(ZoneInfo(self.zone)))).astimezone(UTC)

    def until(self, moment: datetime) -> datetime:
        """The last time at or before a moment at which it fired, in UTC."""
        later = moment.replace(microsecond=0).astimezone(ZoneInfo(self.zone)) + timedelta(seconds=1)
        return next(CronSim(self.cron, later, reverse=True)).astimezone(UTC)
