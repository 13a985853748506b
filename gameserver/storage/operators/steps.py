"""Players counted by steps of what they are ranked by, exactly over all databases of a report.

Law: a database returns only counts, in two arrays: neither memory nor the network carry more for a million players. A
step begins at a multiple of its width, and widths are powers of two of the narrowest one: narrower steps never lie in
two wider ones. Moments are Unix microseconds.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, ColumnElement, Interval, bindparam, case, cast, extract, func, literal, or_, select

from gameserver.storage.operators.common_names import for_all, of_all
from gameserver.storage.operators.parts import PLAYERS, Part, gathered
from gameserver.storage.operators.questions import MOMENTS, By, Segment, array_of, moment, value_of

SINGLES = 2048
"""Values that are counted one by one, as beginners are many: a power of two."""
MANY = 32_768
"""Steps of one database, and no more: their width was guessed far too small then."""
_START = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_HOUR = 3600 * 1_000_000


class ValueStep(NamedTuple):
    """How many players have a value from `first` to `last`."""

    first: int
    last: int
    players: int


def narrowest(by: By) -> int:
    """The width of a step in which all values are the same: when a player was last seen is noted by the hour."""
    return _HOUR if by == "seen_at" else 1


def width_for(span: int, by: By, steps: int) -> int:
    """The least width of a step with which so many of them are as wide as `span`."""
    width = narrowest(by)
    while width * steps < span:
        width *= 2
    return width


async def counted_by_steps(
    parts: Sequence[Part], by: By, segment: Segment, width: int, within: Sequence[ValueStep] = ()
) -> list[ValueStep] | None:
    """The steps that aren't empty, in order, `within` some of one greater width only; None if there are more than MANY.

    Unless `within` is given, steps below SINGLES are of one value each, if they aren't wider than that. Raises
    DatabaseUnavailable.
    """
    conditions, singles = list[ColumnElement[bool]](), 0
    if within:
        conditions.append(_within(by, within))
    elif by not in MOMENTS and 1 < width <= SINGLES:
        singles = SINGLES
    start = _start(by, width)
    if singles:
        start = case((value_of(by) < singles, value_of(by)), else_=start)

    async def count(part: Part) -> Sequence[Any]:
        fitting = (await for_all(part.ask, segment)).conditions()
        return await part.ask(_query(by, start, [part.counted(), *conditions, *fitting]))

    answers = await gathered(map(count, parts))
    counts = Counter[int]()
    for starts, players in chain(*answers):
        if len(starts or ()) > MANY:
            return None
        counts.update(dict(zip(starts or (), players or (), strict=True)))
    return [
        ValueStep(first, first if first < singles else first + width - 1, counts[first]) for first in sorted(counts)
    ]


async def bounds(parts: Sequence[Part], by: By, segment: Segment) -> tuple[int, int]:
    """The least and the highest value; nothing of use if nobody is there. Raises DatabaseUnavailable."""
    value = value_of(by)
    query = select(func.min(value), func.max(value))
    answers = await gathered(of_all(part, query, segment) for part in parts)
    numbers = [_number(end) for row in chain(*answers) for end in row if end is not None]
    return min(numbers, default=0), max(numbers, default=0)


async def guessed_bounds(parts: Sequence[Part], by: By, segment: Segment) -> tuple[int, int]:
    """About the least and the highest value of all players, without looking at each. Raises DatabaseUnavailable.

    Moments are those of an index, and nobody is seen before it is created; the rest is in Postgres's statistics. It
    takes steps of moments for as many as there are moments, and would sort all players to count them: from here on the
    report's statements don't sort where there is another way.
    """
    if by not in MOMENTS:
        numbers = list(chain(*(part.bounds for part in parts)))
        return (min(numbers), max(numbers)) if numbers else await bounds(parts, by, segment)
    created = PLAYERS.c.created_at
    ends = select(func.min(created), func.max(created), func.set_config("enable_sort", "off", True))  # noqa: FBT003
    answers = await gathered(part.ask(ends.where(~PLAYERS.c.void)) for part in parts)
    moments = [moment for *row, _ in chain(*answers) for moment in row if moment is not None]
    if by == "seen_at":
        moments += [part.as_of for part in parts]
    return _number(min(moments, default=_START)), _number(max(moments, default=_START))


def _query(by: By, start: ColumnElement[Any], conditions: Sequence[ColumnElement[bool]]) -> Any:
    """The beginnings of steps, and how many players are in each."""
    players = func.count().label("players")
    steps = select(start.label("start"), players).where(*conditions).group_by("start").limit(MANY + 1).subquery()
    number = cast(extract("epoch", steps.c.start) * 1_000_000, BigInteger) if by in MOMENTS else steps.c.start
    return select(func.array_agg(number), func.array_agg(steps.c.players))


def _start(by: By, width: int) -> ColumnElement[Any]:
    """Where the step begins that a row is in."""
    value = value_of(by)
    if by in MOMENTS:
        stride = cast(bindparam(None, timedelta(microseconds=width), Interval, unique=True), Interval)
        return func.date_bin(stride, value, literal(_START)) if width > 1 else value
    number = cast(value, BigInteger)
    return number.bitwise_and(-width) if width > 1 else number


def _within(by: By, steps: Sequence[ValueStep]) -> ColumnElement[bool]:
    """Whether a row is in one of these steps: by ranges where there is an index, by the step's beginning else."""
    if by in MOMENTS:
        return or_(*(value_of(by).between(moment(step.first), moment(step.last)) for step in steps))
    width = steps[0].last - steps[0].first + 1
    return _start(by, width) == func.any(array_of([step.first for step in steps], BigInteger))


def _number(value: int | datetime) -> int:
    return value if isinstance(value, int) else (value - _START) // _MICROSECOND
