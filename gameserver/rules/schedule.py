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
    """Where a time of day doesn't exist or exists twice, it fires once, as Debian's cron does."""

    cron: str
    zone: str = "UTC"

    @classmethod
    def parse(cls, cron: str, zone: str) -> Self:
        """Raises ValueError, in a sentence, for what never fires or isn't known."""
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
        """The first time that it fires after a moment, in UTC."""
        return next(CronSim(self.cron, moment.astimezone(ZoneInfo(self.zone)))).astimezone(UTC)

    def until(self, moment: datetime) -> datetime:
        """The last time that it fired, at the moment or before it, in UTC."""
        later = moment.replace(microsecond=0).astimezone(ZoneInfo(self.zone)) + timedelta(seconds=1)
        return next(CronSim(self.cron, later, reverse=True)).astimezone(UTC)
