"""Where one player stands among those of a segment, and how they are spread: percentiles and a histogram.

Law: all figures are exact over all databases, of the snapshots of one report (reports.py). A database returns only
counts: a percentile is found by counting who is below some hundred values, then again between the two values that
enclose it, until they meet; so neither memory nor the network carry more for a million players than for ten.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, ColumnElement, and_, cast, func, or_, select

from gameserver.rules.errors import PlayerNotFound
from gameserver.storage.ids import slot_of
from gameserver.storage.operators.questions import By, Question, Segment, array_of
from gameserver.storage.operators.reports import PLAYERS, Part, Reports, gathered

POINTS = 256
"""Values between which a percentile is looked for in one question."""
MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class RankedPlace:
    """A player's rank, from 1, among the `of` players of a segment; None if it doesn't belong to it."""

    rank: int | None
    of: int
    value: int | datetime
    as_of: datetime


class Bar(NamedTuple):
    """How many players have a value from `first` to `last`; of created_at, Unix microseconds."""

    first: int
    last: int
    players: int


@dataclass(frozen=True, slots=True)
class Spread:
    """The values of a segment's players; of created_at, Unix microseconds. Without players there are none."""

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
    value, conditions = PLAYERS.c[question.by], question.segment.conditions()
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
    value, as_of = _number(question.by), min(part.as_of for part in parts)
    bounds = select(func.min(value), func.max(value), func.count())
    rows = [rows[0] for rows in await _ask(parts, bounds, question)]
    players = sum(row[2] for row in rows)
    if not players:
        return Spread(0, None, None, {}, (), as_of)
    least, most = min(row[0] for row in rows if row[2]), max(row[1] for row in rows if row[2])
    ranks = {percentile: _rank(percentile, players) for percentile in question.percentiles}
    search = _Search(dict.fromkeys(ranks.values(), (least, most)))
    edges = _edges(least, most, question.bars)
    points = sorted({*edges[1:], *search.points()})
    below = await _below(parts, question, points)
    histogram = _histogram([*edges, most + 1], below, players)
    while not search.narrow(below):
        below = await _below(parts, question, search.points())
    percentiles = {percentile: search.found(rank) for percentile, rank in ranks.items()}
    return Spread(players, least, most, percentiles, histogram, as_of)


class _Search:
    """Looks for the values that players of some ranks have: by rank the lowest and the highest that it can be."""

    def __init__(self, between: dict[int, tuple[int, int]]) -> None:
        self._between = between

    def points(self) -> list[int]:
        """The values below which players have to be counted."""
        return sorted({point for low, high in self._between.values() for point in _edges(low, high, POINTS)[1:]})

    def narrow(self, below: dict[int, int]) -> bool:
        """Takes how many players are below each point; whether every value is found."""
        for rank, (low, high) in self._between.items():
            low = max([low, *(point for point, count in below.items() if count < rank and point <= high)])
            high = min([high, *(point - 1 for point, count in below.items() if count >= rank and point > low)])
            self._between[rank] = low, high
        return all(low == high for low, high in self._between.values())

    def found(self, rank: int) -> int:
        return self._between[rank][0]


def _edges(least: int, most: int, parts: int) -> list[int]:
    """The lowest values of so many parts of about equal width, or of fewer if there aren't so many values."""
    width = most - least + 1
    return sorted({least + width * number // parts for number in range(parts)})


def _histogram(edges: Sequence[int], below: dict[int, int], players: int) -> list[Bar]:
    counts = [0, *(below[edge] for edge in edges[1:-1]), players]
    return [
        Bar(first, last - 1, after - before)
        for first, last, before, after in zip(edges, edges[1:], counts, counts[1:], strict=False)
    ]


async def _below(parts: Sequence[Part], question: SpreadQuestion, points: Sequence[int]) -> dict[int, int]:
    """How many players are below each of the points, which are in order."""
    if not points:
        return {}
    bucket = func.width_bucket(_number(question.by), array_of(points, BigInteger)).label("bucket")
    answers = await _ask(parts, select(bucket, func.count()).group_by(bucket), question)
    counts = Counter[int]()
    for rows in answers:
        counts.update(dict(tuple(row) for row in rows))
    return dict(zip(points, accumulate(counts[number] for number in range(len(points))), strict=True))


async def _ask(parts: Iterable[Part], query: Any, question: SpreadQuestion) -> Sequence[Sequence[Any]]:
    conditions = question.segment.conditions()
    return await gathered(part.ask(query.where(part.counted(), *conditions)) for part in parts)


def _number(by: By) -> ColumnElement[int]:
    """The value as an integer; moments in Unix microseconds."""
    column = PLAYERS.c[by]
    if by != "created_at":
        return cast(column, BigInteger)
    return cast(func.extract("epoch", column) * MICROSECONDS, BigInteger)


def _rank(percentile: float, players: int) -> int:
    """Of so many players, in the order of their values, the first one that so many per cent aren't beyond."""
    return max(1, math.ceil(round(percentile * players / 100, 9)))
