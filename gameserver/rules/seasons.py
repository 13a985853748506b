"""Seasons: which season of a board a moment belongs to.

Law: while there are players, the seasons of a board follow one another without a gap. A season that has begun ends at
the time that was set when it began, even if the configuration has changed since. A season's number is the Unix time of
its start, in seconds.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from gameserver.rules.schedule import Schedule


class Season(NamedTuple):
    """From `start` to just before `end`, in Unix seconds."""

    start: int
    end: int


def season_at(schedule: Schedule, begun: Sequence[Season], moment: datetime) -> Season:
    """The season that a moment belongs to; `begun` are the seasons known so far, in ascending order."""
    second = int(moment.timestamp())
    for known in reversed(begun):
        if known.start <= second < known.end:
            return known
    # As the schedule has it, but without what belongs to the known seasons around it.
    start, end = _seconds(schedule.until(moment)), _seconds(schedule.after(moment))
    before = [known.end for known in begun if known.end <= second]
    after = [known.start for known in begun if known.start > second]
    return Season(max([start, *before]), min([end, *after]))


def next_season(schedule: Schedule, season: Season) -> Season:
    """The season that begins when this one ends."""
    return Season(season.end, _seconds(schedule.after(_moment(season.end))))


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())
