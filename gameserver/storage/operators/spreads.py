"""Where one player stands among those of a segment, and how they are spread: percentiles and a histogram.

Law: all figures are exact over all databases, of the snapshots of one report (reports.py). A database returns only
counts: a percentile is found by counting who is below a thousand values, again between the two that enclose it, and
once few players are left there, by their values. So neither memory nor the network carry more for a million players.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, ColumnElement, DateTime, and_, cast, func, or_, select

from gameserver.rules.errors import PlayerNotFound
from gameserver.storage.ids import slot_of
from gameserver.storage.operators.questions import MOMENTS, By, Question, Segment, array_of, value_of
from gameserver.storage.operators.reports import PLAYERS, Part, Reports, gathered

POINTS = 1000
"""Values between which a percentile is looked for in one question."""
FETCHED = 20_000
"""Players whose values are read one by one once no more are left."""
_START = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class RankedPlace:
    """A player's rank, from 1, among the `of` players of a segment; None if it doesn't belong to it."""

    rank: int | None
    of: int
    value: int | datetime
    as_of: datetime


class Bar(NamedTuple):
    """How many players have a value from `first` to `last`; of moments, Unix microseconds."""

    first: int
    last: int
    players: int


@dataclass(frozen=True, slots=True)
class Spread:
    """The values of a segment's players; of moments, Unix microseconds. Without players there are none."""

    players: int
    least: int | None
    most: int | None
    percentiles: dict[float, int]
    histogram: Sequence[Bar]
    as_of: datetime


@dataclass(frozen=True, slots=True)
class SpreadQuestion:
    """`percentiles` above 0 and up to 100; `bars` of about equal width."""

    by: By
    segment: Segment
    percentiles: Sequence[float]
    bars: int


class Spreads:
    """Every method raises DatabaseUnavailable and Overloaded."""

    def __init__(self, reports: Reports) -> None:
        self._reports = reports

    async def place(self, question: Question, player_id: int) -> RankedPlace:
        """Where a player stands in a ranking. Raises PlayerNotFound."""
        return await self._reports.over_all(lambda parts: _place(parts, question, player_id))

    async def spread(self, question: SpreadQuestion) -> Spread:
        """How the values of a segment's players are spread."""
        return await self._reports.over_all(lambda parts: _spread(parts, question))


async def _place(parts: Sequence[Part], question: Question, player_id: int) -> RankedPlace:
    value, conditions = value_of(question.by), question.segment.conditions()
    wanted = [PLAYERS.c.slot == slot_of(player_id), PLAYERS.c.id == player_id]
    belongs = and_(*conditions) if conditions else PLAYERS.c.id == player_id
    found = await gathered(part.ask(select(value, belongs).where(part.counted(), *wanted)) for part in parts)
    rows = [row for rows in found for row in rows]
    if not rows:
        raise PlayerNotFound("There is no such player.")
    own, belongs_to_it = rows[0]
    beyond = value > own if question.descending else value < own
    ahead = or_(beyond, and_(value == own, PLAYERS.c.id < player_id))
    counts = select(func.count().filter(ahead), func.count())
    answers = await gathered(part.ask(counts.where(part.counted(), *conditions)) for part in parts)
    before, of = (sum(rows[0][column] for rows in answers) for column in (0, 1))
    return RankedPlace(before + 1 if belongs_to_it else None, of, own, min(part.as_of for part in parts))


async def _spread(parts: Sequence[Part], question: SpreadQuestion) -> Spread:
    value, as_of = value_of(question.by), min(part.as_of for part in parts)
    bounds = select(func.min(value), func.max(value), func.count())
    rows = [rows[0] for rows in await _ask(parts, bounds, question) if rows[0][2]]
    players = sum(row[2] for row in rows)
    if not players:
        return Spread(0, None, None, {}, (), as_of)
    least, most = min(_number(row[0]) for row in rows), max(_number(row[1]) for row in rows)
    ranks = {percentile: _rank(percentile, players) for percentile in question.percentiles}
    search = _Search(dict.fromkeys(ranks.values(), (least, most)), {least: 0, most + 1: players})
    edges = _edges(least, most, question.bars)
    search.narrow(await _below(parts, question, sorted({*edges[1:], *search.points()})))
    while search.left() > FETCHED:
        search.narrow(await _below(parts, question, search.points()))
    search.finish(await _values(parts, question, search.between()))
    percentiles = {percentile: search.found(rank) for percentile, rank in ranks.items()}
    return Spread(players, least, most, percentiles, _histogram([*edges, most + 1], search.below), as_of)


class _Search:
    """Looks for the values that players of some ranks have: by rank the lowest and the highest that it can be.

    `below` says how many players are below some values, the ends of what is left among them.
    """

    def __init__(self, between: dict[int, tuple[int, int]], below: dict[int, int]) -> None:
        self._between, self.below = between, below

    def between(self) -> list[tuple[int, int]]:
        """The ranges of values that have to be looked at."""
        return sorted({(low, high) for low, high in self._between.values() if low < high})

    def left(self) -> int:
        """How many players are in these ranges."""
        return sum(self.below[high + 1] - self.below[low] for low, high in self.between())

    def points(self) -> list[int]:
        """The values below which players have to be counted."""
        return sorted({point for low, high in self.between() for point in _edges(low, high, POINTS)[1:]})

    def narrow(self, below: dict[int, int]) -> None:
        """Takes how many players are below each point."""
        self.below |= below
        for rank, (low, high) in self._between.items():
            reached = [point - 1 for point, count in below.items() if count >= rank and low < point <= high]
            missed = [point for point, count in below.items() if count < rank and low < point <= high]
            self._between[rank] = max([low, *missed]), min([high, *reached])

    def finish(self, counts: dict[int, int]) -> None:
        """Takes how many players have each value of the ranges."""
        for rank, (low, high) in self._between.items():
            before = self.below[low]
            for value in sorted(value for value in counts if low <= value <= high) if low < high else ():
                before += counts[value]
                if before >= rank:
                    self._between[rank] = value, value
                    break

    def found(self, rank: int) -> int:
        return self._between[rank][0]


def _edges(least: int, most: int, parts: int) -> list[int]:
    """The lowest values of so many parts of about equal width, or of fewer if there aren't so many values."""
    width = most - least + 1
    return sorted({least + width * number // parts for number in range(parts)})


def _histogram(edges: Sequence[int], below: dict[int, int]) -> list[Bar]:
    return [Bar(first, end - 1, below[end] - below[first]) for first, end in pairwise(edges)]


async def _below(parts: Sequence[Part], question: SpreadQuestion, points: Sequence[int]) -> dict[int, int]:
    """How many players are below each of the points, which are in order."""
    if not points:
        return {}
    thresholds = array_of([_value(question.by, point) for point in points], _kind(question.by))
    bucket = func.width_bucket(_column(question.by), thresholds).label("bucket")
    counts = Counter[int]()
    for rows in await _ask(parts, select(bucket, func.count()).group_by(bucket), question):
        counts.update(dict(tuple(row) for row in rows))
    return dict(zip(points, accumulate(counts[number] for number in range(len(points))), strict=True))


async def _values(parts: Sequence[Part], question: SpreadQuestion, ranges: Sequence[tuple[int, int]]) -> dict[int, int]:
    """How many players have each value of these ranges."""
    if not ranges:
        return {}
    value, by = value_of(question.by), question.by
    within = or_(*(value.between(_value(by, low), _value(by, high)) for low, high in ranges))
    counts = Counter[int]()
    for rows in await _ask(parts, select(value, func.count()).where(within).group_by(value), question):
        counts.update({_number(row[0]): row[1] for row in rows})
    return counts


async def _ask(parts: Iterable[Part], query: Any, question: SpreadQuestion) -> Sequence[Sequence[Any]]:
    conditions = question.segment.conditions()
    return await gathered(part.ask(query.where(part.counted(), *conditions)) for part in parts)


def _number(value: int | datetime) -> int:
    """A value as an integer; moments in Unix microseconds."""
    return value if isinstance(value, int) else (value - _START) // _MICROSECOND


def _value(by: By, number: int) -> int | datetime:
    """The value that a number stands for."""
    return _START + number * _MICROSECOND if by in MOMENTS else number


def _kind(by: By) -> Any:
    return DateTime(timezone=True) if by in MOMENTS else BigInteger


def _column(by: By) -> ColumnElement[Any]:
    return value_of(by) if by in MOMENTS else cast(value_of(by), BigInteger)


def _rank(percentile: float, players: int) -> int:
    """Of so many players, in the order of their values, the first one that so many per cent aren't beyond."""
    return max(1, math.ceil(round(percentile * players / 100, 9)))
