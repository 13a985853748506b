"""Questions over all databases: rankings and counts, exact as of one moment of each database.

Law: a player is counted exactly once, also during a move. A snapshot is opened on every database and asked which slots
it owns; unless each slot is owned in exactly one of the snapshots (one that flips between two of them isn't), all are
opened again. Rows of slots that a database doesn't own in its snapshot, such as a copy under way, are skipped.
All of that has one deadline, and connections of its own: a database that is silent neither holds up an answer for
longer nor takes connections on the others that play needs.

A ranking by what changes with every action scans the table: an index would cost more than it saves (see
tables/players_group.py). Each database returns only keys, at most one page of them; these are merged, and only the
page's players are read whole, from the same snapshots. So a page in the middle costs what the first one does, in time
and memory.

A replica that is fresh enough is asked instead of its primary, and `as_of` is then earlier by its age. It may show
commits in another order than the primary did.
"""

import asyncio
import heapq
from bisect import bisect_left, bisect_right
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence, Set
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain, islice
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, func, select

from gameserver.rules.player import Player
from gameserver.storage.ids import slot_of
from gameserver.storage.operators.common_names import MOST, share_of, suited
from gameserver.storage.operators.parts import PLAYERS, SQL, Part, answering, gathered, part_of
from gameserver.storage.operators.questions import EVERYONE, MOMENTS, By, Question, moment, value_of
from gameserver.storage.postgres.coalescing import overloaded
from gameserver.storage.postgres.database import REPORTS, Database
from gameserver.storage.postgres.replica import Replicas
from gameserver.storage.slots.slot_map import Slots
from gameserver.storage.tables import player_with_data_of

T = TypeVar("T")
SECONDS = 5.0
"""How long an answer over all databases may take, with waiting for its turn."""
STEPS, STEPS_BY_NAME = 3, 2
"""How many histogram bounds a search spans, of about a hundred: a few per cent of the players. Comparing each
one's name takes longer than looking at it."""
COMMON = 0.05
"""The share of players that may have a name beyond which names are compared in the page's order, until it is full:
where that order has an index. Where it has to be sorted first, that is `common_names.MOST`."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """One page; `banned` are the ids of those of its players that are banned, which boards leave out.

    `seen` are the hours in which its players were last seen, by id.
    """

    players: Sequence[Player]
    more: bool
    as_of: datetime
    banned: Set[int] = frozenset()
    seen: Mapping[int, datetime] = field(default_factory=dict)

    def last(self, by: By) -> tuple[int | datetime, int]:
        """What the page's last player is ranked by, and its id: the next page begins behind these."""
        player = self.players[-1]
        return self.seen[player.id] if by == "seen_at" else getattr(player, by), player.id


@dataclass(frozen=True, slots=True)
class Count:
    """How many players of a class and level a database has."""

    database: str
    class_name: str
    level: int
    players: int


class Reports:
    """Every method raises DatabaseUnavailable, also when slots move for too long, and Overloaded."""

    def __init__(self, slots: Slots, replicas: Replicas, oldest: float, now: Callable[[], datetime]) -> None:
        """Replicas whose data is at the most `oldest` seconds old are asked instead of their primaries."""
        self._slots, self._replicas, self._oldest, self._now = slots, replicas, oldest, now
        self._turns = asyncio.Semaphore(REPORTS)

    async def rank(self, question: Question) -> Ranking:
        """One page of players, in their order."""
        others = replace(question.segment.whatever_name(), class_name=None)
        bounds_of = question.by if question.by != "created_at" and others == EVERYONE else None
        return await self.over_all(lambda parts: _rank(parts, question), bounds_of)

    async def count(self) -> tuple[list[Count], datetime]:
        """Players per database, class and level, and the moment as of which they were counted."""
        return await self.over_all(_count)

    async def over_all(self, work: Callable[[Sequence[Part]], Awaitable[T]], bounds_of: By | None = None) -> T:
        """Runs `work` over snapshots in which each slot has exactly one owner; each takes a turn."""
        async with self.turn() as deadline:
            return await self._answered(work, self._arguments(bounds_of or ""), deadline)

    async def over_some(
        self, databases: Sequence[Database], work: Callable[[Sequence[Part]], Awaitable[T]]
    ) -> tuple[T, Set[str]]:
        """Runs `work` over snapshots of those of these primaries that answer, and names those that don't.

        Each slot has one owner at the most among the snapshots.
        """
        async with self.turn() as deadline:
            while True:
                async with AsyncExitStack() as stack:
                    parts = await answering(stack, databases, self._arguments(""), deadline)
                    owned = [*chain(*(part.slots for part in parts))]
                    if len(owned) == len(set(owned)):
                        silent = {database.name for database in databases} - {part.database for part in parts}
                        return await work(parts), silent
                await self._slots.moved(deadline)

    @asynccontextmanager
    async def turn(self, seconds: float | None = None) -> AsyncIterator[float]:
        """Waits for a turn; gives the deadline of the whole answer, after `seconds` or SECONDS. Raises Overloaded."""
        deadline = asyncio.get_running_loop().time() + (SECONDS if seconds is None else seconds)
        try:
            async with asyncio.timeout_at(deadline):
                await self._turns.acquire()
        except TimeoutError:
            raise overloaded("This node has too many questions over all databases to answer.") from None
        try:
            yield deadline
        finally:
            self._turns.release()

    def _arguments(self, bounds_of: str) -> Mapping[str, Any]:
        return {"size": self._slots.size("players"), "by": bounds_of}

    async def _answered(
        self, work: Callable[[Sequence[Part]], Awaitable[T]], arguments: Mapping[str, Any], deadline: float
    ) -> T:
        every_slot = [*range(self._slots.size("players"))]
        oldest = self._oldest
        while True:
            async with AsyncExitStack() as stack:
                databases = self._slots.databases("players")
                sources = [(database, self._replicas.fresh(database.name, oldest)) for database in databases]
                parts = await gathered(part_of(stack, *source, arguments, deadline, self._now) for source in sources)
                if sorted(chain(*(part.slots for part in parts))) == every_slot:
                    return await work(parts)
            # Replicas show a move at different times: ask their primaries.
            oldest = 0
            await self._slots.moved(deadline)


async def _rank(parts: Sequence[Part], question: Question) -> Ranking:
    # Merge the keys of every database, keep one page of them, and read its players whole.
    pages = await gathered(_page(part, question) for part in parts)
    lists = [[(question.key(row.value, row.id), part) for row in rows] for part, rows in zip(parts, pages, strict=True)]
    merged = list(islice(heapq.merge(*lists, key=lambda entry: entry[0]), question.limit + 1))
    page = [(player_id, part) for (_, player_id), part in merged[: question.limit]]
    rows = await gathered(_whole(part, [player_id for player_id, owner in page if owner is part]) for part in parts)
    players = {row.id: player_with_data_of(row) for row in chain(*rows)}
    banned = {row.id for row in chain(*rows) if row.banned}
    seen = {row.id: row.seen_at for row in chain(*rows)}
    ordered = [players[player_id] for player_id, _ in page]
    return Ranking(ordered, len(merged) > question.limit, min(part.as_of for part in parts), banned, seen)


async def _page(part: Part, question: Question) -> Sequence[Any]:
    """The ids and values of one page and one player more, or of all that are left.

    The first search ends at a value shortly behind the page's beginning, which spares sorting the rest of the table. If
    it finds too few, because statistics are old or the class is rare, a second one has no such limit. Where the page's
    order has an index, only as much as fills the page is read in it, unless the name is rare.
    """
    until, has_index = _until(question, part.bounds), question.by == "created_at"
    share = await share_of(part.ask, question.segment)
    orderly = (until is not None or has_index) and share >= (COMMON if has_index else MOST)
    if until is not None:
        rows = await part.ask((keys_in_order if orderly else _keys)(question, part.counted(), until))
        if len(rows) > question.limit:
            return rows
    if orderly and has_index:
        return await part.ask(keys_in_order(question, part.counted()))
    return await part.ask(_keys(replace(question, segment=suited(question.segment, share)), part.counted()))


def _until(question: Question, numbers: Sequence[int]) -> int | datetime | None:
    """The histogram bound some steps behind the page's beginning; None if there aren't so many."""
    bounds: Sequence[Any] = numbers if question.by not in MOMENTS else [*map(moment, numbers)]
    last: Any = None if question.after is None else question.after[0]
    steps = STEPS_BY_NAME if question.segment.goes_by_name() else STEPS
    if question.descending:
        at = (len(bounds) if last is None else bisect_left(bounds, last)) - steps
    else:
        at = (0 if last is None else bisect_right(bounds, last)) + steps - 1
    return bounds[at] if 0 <= at < len(bounds) else None


async def _whole(part: Part, ids: Sequence[int]) -> Sequence[Any]:
    if not ids:
        return ()
    return await part.ask(SQL["players"], slots=[slot_of(player_id) for player_id in ids], ids=list(ids))


async def _count(parts: Sequence[Part]) -> tuple[list[Count], datetime]:
    kinds = (PLAYERS.c["class"], PLAYERS.c.level)
    query = select(*kinds, func.count()).group_by(*kinds)
    answers = await gathered(part.ask(query.where(part.counted())) for part in parts)
    counts = [Count(part.database, *row) for part, rows in zip(parts, answers, strict=True) for row in rows]
    return counts, min(part.as_of for part in parts)


def _keys(question: Question, counted: ColumnElement[bool], until: int | datetime | None = None) -> Any:
    value = value_of(question.by)
    conditions = _conditions(question, counted, until)
    return question.select((PLAYERS.c.id, value.label("value")), conditions).limit(question.limit + 1)


def keys_in_order(question: Question, counted: ColumnElement[bool], until: int | datetime | None = None) -> Any:
    """As `_keys`, but sorts first, and compares only the names until the page is full: `offset 0` keeps them apart."""
    anyone, value = replace(question, segment=question.segment.whatever_name()), value_of(question.by)
    columns = (PLAYERS.c.id, value.label("value"), PLAYERS.c.name)
    rows = anyone.select(columns, _conditions(question, counted, until)).offset(0).subquery().c
    ordered = rows.value.desc() if question.descending else rows.value.asc()
    chosen = select(rows.id, rows.value).where(*question.segment.fits_name(rows.name))
    return chosen.order_by(ordered, rows.id).limit(question.limit + 1)


def _conditions(
    question: Question, counted: ColumnElement[bool], until: int | datetime | None
) -> list[ColumnElement[bool]]:
    if until is None:
        return [counted]
    value = value_of(question.by)
    return [counted, value >= until if question.descending else value <= until]
