"""Seasons: which one a moment belongs to.

Law: seasons of a board follow one another without a gap while somebody plays, and one that has begun ends when it was
said that it would, whatever the configuration says since. A season is named by the Unix seconds of its start.
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
    """The season that a moment belongs to; `begun` are those that are known, in their order."""
    second = int(moment.timestamp())
    for known in reversed(begun):
        if known.start <= second < known.end:
            return known
    if not begun or second < begun[0].start:
        return Season(_seconds(schedule.until(moment)), _seconds(schedule.after(moment)))
    last = begun[-1]
    follower = Season(last.end, _seconds(schedule.after(_moment(last.end))))
    if second < follower.end:
        return follower
    return Season(_seconds(schedule.until(moment)), _seconds(schedule.after(moment)))


def next_season(schedule: Schedule, season: Season) -> Season:
    """The one that begins when this one ends."""
    return Season(season.end, _seconds(schedule.after(_moment(season.end))))


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())
