"""Where one player stands among those of a segment, and how they are spread: percentiles and a histogram.

Law: all figures are exact over all databases, of the snapshots of one report (reports.py). Everyone is counted in some
thousand steps first (steps.py), whose width follows from Postgres's statistics; then, in narrower steps down to single
values, only who is in the steps of a percentile or an extreme. So databases look at their players twice, as a rule, and
once where there are few values.
"""

import math
from bisect import bisect_left
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate, pairwise
from typing import NamedTuple

from sqlalchemy import and_, func, or_, select

from gameserver.rules.errors import PlayerNotFound
from gameserver.storage.ids import slot_of
from gameserver.storage.operators import steps as counting
from gameserver.storage.operators.common_names import of_all
from gameserver.storage.operators.parts import PLAYERS, Part, gathered
from gameserver.storage.operators.questions import MOMENTS, By, Question, Segment, value_of
from gameserver.storage.operators.reports import Reports
from gameserver.storage.operators.steps import ValueStep

STEPS = 4096
"""Steps in which everyone is counted; between half as many and as many, if there are so many values."""
FINE = 16
"""Steps in a bar, at the least: a bar ends where a step does, so their widths differ by a few per cent."""
FETCHED = 20_000
"""Values that are counted one by one; where there may be more, they are counted by narrower steps first."""


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
        bounds_of = None if question.by in MOMENTS else question.by
        return await self._reports.over_all(lambda parts: _spread(parts, question), bounds_of)


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
    answers = await gathered(of_all(part, counts, question.segment) for part in parts)
    before, of = (sum(rows[0][column] for rows in answers) for column in (0, 1))
    return RankedPlace(before + 1 if belongs_to_it else None, of, own, min(part.as_of for part in parts))


async def _spread(parts: Sequence[Part], question: SpreadQuestion) -> Spread:
    as_of = min(part.as_of for part in parts)
    grid, steps = await _everyone(parts, question)
    if not (players := sum(step.players for step in steps)):
        return Spread(0, None, None, {}, (), as_of)
    ranks = {percentile: _rank(percentile, players) for percentile in question.percentiles}
    wanted = {1, players, *ranks.values()}
    while wide := _wider(question.by, _of_ranks(steps, wanted).values()):
        width = _narrower(question.by, wide)
        narrow = await counting.counted_by_steps(parts, question.by, question.segment, width, wide)
        assert narrow is not None, "wider steps of one width have no more narrow ones than are looked at"
        steps = sorted({*steps}.difference(wide).union(narrow))
    values = {rank: step.first for rank, step in _of_ranks(steps, wanted).items()}
    percentiles = {percentile: values[rank] for percentile, rank in ranks.items()}
    edges = _edges(values[1], values[players], question.bars, grid)
    return Spread(players, values[1], values[players], percentiles, _histogram(edges, steps), as_of)


async def _everyone(parts: Sequence[Part], question: SpreadQuestion) -> tuple[int, list[ValueStep]]:
    """Everyone by steps, which are fine enough for the bars, or the narrowest; and their width."""
    by, segment, most = question.by, question.segment, max(STEPS, 2 * FINE * question.bars)
    low, high = await counting.guessed_bounds(parts, by, segment)
    while True:
        width = counting.width_for(high - low + 1, by, most)
        steps = await counting.counted_by_steps(parts, by, segment, width)
        if steps is None:
            low, high = await counting.bounds(parts, by, segment)
            continue
        span = steps[-1].last - steps[0].first if steps else 0
        if not steps or width == counting.narrowest(by) or span >= FINE * question.bars * width:
            return width, steps
        low, high = steps[0].first, steps[-1].last


def _of_ranks(steps: Sequence[ValueStep], ranks: Collection[int]) -> dict[int, ValueStep]:
    """Which step the players of these ranks are in."""
    reached = list(accumulate(step.players for step in steps))
    return {rank: steps[bisect_left(reached, rank)] for rank in ranks}


def _wider(by: By, steps: Collection[ValueStep]) -> list[ValueStep]:
    """Those of the steps that may have several values, in order."""
    return sorted({step for step in steps if step.last - step.first >= counting.narrowest(by)})


def _narrower(by: By, steps: Sequence[ValueStep]) -> int:
    """The width of the next steps: the narrowest, unless there would be too many of them."""
    widths = [step.last - step.first + 1 for step in steps]
    values = sum(min(step.players, width // counting.narrowest(by)) for step, width in zip(steps, widths, strict=True))
    if values <= FETCHED:
        return counting.narrowest(by)
    return min(counting.width_for(sum(widths), by, STEPS), min(widths) // 2)


def _edges(least: int, most: int, bars: int, grid: int) -> list[int]:
    """The lowest values of so many bars, and what is behind the last one; between two bars always a multiple of `grid`.

    They are of about equal width, and fewer if there aren't so many values.
    """
    width = most - least + 1
    inner = {(least + width * number // bars + grid // 2) // grid * grid for number in range(1, bars)}
    return [least, *sorted(edge for edge in inner if least < edge <= most), most + 1]


def _histogram(edges: Sequence[int], steps: Sequence[ValueStep]) -> list[Bar]:
    firsts, below = [step.first for step in steps], [0, *accumulate(step.players for step in steps)]
    counts = [below[bisect_left(firsts, edge)] for edge in edges]
    return [Bar(first, end - 1, n - m) for (first, end), (m, n) in zip(pairwise(edges), pairwise(counts), strict=True)]


def _rank(percentile: float, players: int) -> int:
    """Of so many players, in the order of their values, the first one that so many per cent aren't beyond."""
    return max(1, math.ceil(round(percentile * players / 100, 9)))
