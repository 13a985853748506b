"""Questions over all databases: rankings and counts, exact as of one moment.

Each database answers from one snapshot, with the slots that it owned in it; unless every slot is covered exactly
once the question is asked again, so a player who is being moved is counted once.
"""

import asyncio
import heapq
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, islice
from typing import Any, Literal, TypeVar

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gameserver.rules.errors import DatabaseUnavailable
from gameserver.rules.player import Player
from gameserver.storage import schema
from gameserver.storage.batch import player_of
from gameserver.storage.databases import Database, Databases
from gameserver.storage.slots import Slots

T = TypeVar("T")
PLAYERS = schema.player_rows
OWNED = schema.players_owned_slots
By = Literal["exp", "level", "hp", "created_at"]
TRIES = 20
PAUSE = 0.05


@dataclass(frozen=True, slots=True)
class Question:
    """A ranking; equal values stand by id. `after` is the value and id of the last one seen."""

    by: By
    limit: int
    descending: bool = True
    class_name: str | None = None
    min_level: int | None = None
    max_level: int | None = None
    after: tuple[int | datetime, int] | None = None


@dataclass(frozen=True, slots=True)
class Ranking:
    players: Sequence[Player]
    more: bool
    as_of: datetime


@dataclass(frozen=True, slots=True)
class Count:
    """How many players of a class and level a database keeps."""

    database: str
    class_name: str
    level: int
    players: int


@dataclass(frozen=True, slots=True)
class _Part:
    """One database's share of an answer."""

    database: str
    slots: list[int]
    as_of: datetime
    rows: list[Any]


class Reports:
    def __init__(self, databases: Databases, slots: Slots) -> None:
        self._databases = databases
        self._slots = slots

    async def rank(self, question: Question) -> Ranking:
        """The players in their order. Raises DatabaseUnavailable."""
        chosen = _ranking(question)
        parts = await self._ask(lambda connection: _rows(connection, chosen))
        sign = -1 if question.descending else 1

        def order(player: Player) -> tuple[float, int]:
            value = getattr(player, question.by)
            return sign * (value.timestamp() if isinstance(value, datetime) else value), player.id

        lists = [[player_of(row) for row in part.rows] for part in parts]
        merged = list(islice(heapq.merge(*lists, key=order), question.limit + 1))
        return Ranking(merged[: question.limit], len(merged) > question.limit, min(part.as_of for part in parts))

    async def count(self) -> tuple[list[Count], datetime]:
        """Players per database, class and level. Raises DatabaseUnavailable."""
        counted = func.count().label("players")
        chosen = (
            select(PLAYERS.c["class"], PLAYERS.c.level, counted)
            .where(_mine())
            .group_by(PLAYERS.c["class"], PLAYERS.c.level)
        )

        async def work(connection: AsyncConnection) -> list[Any]:
            return await _rows(connection, chosen)

        parts = await self._ask(work)
        counts = [Count(part.database, *row) for part in parts for row in part.rows]
        return counts, min(part.as_of for part in parts)

    async def _ask(self, work: Callable[[AsyncConnection], Awaitable[list[Any]]]) -> list[_Part]:
        for _ in range(TRIES):
            parts = await asyncio.gather(*(_part(database, work) for database in self._slots.databases("players")))
            covered = sorted(chain(*(part.slots for part in parts)))
            if covered == list(range(self._slots.size("players"))):
                return parts
            await asyncio.sleep(PAUSE)
            await self._slots.refresh()
        raise DatabaseUnavailable("Some players are being moved.", retry_after=1)


async def _part(database: Database, work: Callable[[AsyncConnection], Awaitable[list[Any]]]) -> _Part:
    async with database.snapshot() as connection:
        slots = (await connection.execute(select(OWNED.c.slot).where(OWNED.c.owned))).scalars().all()
        as_of = (await connection.execute(select(func.clock_timestamp()))).scalar_one()
        return _Part(database.name, list(slots), as_of, await work(connection))


async def _rows(connection: AsyncConnection, chosen: Any) -> list[Any]:
    return list(await connection.execute(chosen))


def _mine() -> ColumnElement[bool]:
    return and_(~PLAYERS.c.void, PLAYERS.c.slot.in_(select(OWNED.c.slot).where(OWNED.c.owned)))


def _ranking(question: Question) -> Any:
    value = PLAYERS.c[question.by]
    conditions = [_mine()]
    if question.class_name is not None:
        conditions.append(PLAYERS.c["class"] == question.class_name)
    if question.min_level is not None:
        conditions.append(PLAYERS.c.level >= question.min_level)
    if question.max_level is not None:
        conditions.append(PLAYERS.c.level <= question.max_level)
    if question.after is not None:
        last, player_id = question.after
        beyond = value < last if question.descending else value > last
        conditions.append(or_(beyond, and_(value == last, PLAYERS.c.id > player_id)))
    ordered = value.desc() if question.descending else value.asc()
    return select(*schema.PLAYER).where(*conditions).order_by(ordered, PLAYERS.c.id).limit(question.limit + 1)
