"""What a board has of its players, record by record: for checks, not for those who read ranks.

Every call raises BoardUnavailable when Redis is away, or while no generation is live.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from redis.asyncio import Redis

from gameserver.rules.errors import BoardUnavailable
from gameserver.storage.boards.difference import BoardRecord
from gameserver.storage.boards.layout import (
    CONSTANTS,
    ID_BYTES,
    Contest,
    pack_id,
    shown_score,
    unpack_card,
    unpack_record,
)
from gameserver.storage.boards.lost_boards import AWAY, LostBoards
from gameserver.storage.ids import LARGEST_ID
from gameserver.storage.redis.faults import translated
from gameserver.storage.redis.scripts import Script

FIRST = "0"
"""The cursor of the first page, and the one after the last."""
ANY = "any"
"""The cursor of a random choice."""


class LookCall(NamedTuple):
    state: str
    prefix: str
    ids: Sequence[bytes]


class ScanCall(NamedTuple):
    state: str
    prefix: str
    cursor: str
    limit: int


@dataclass(frozen=True, slots=True)
class Records:
    """What the live generation has of some players; `as_of` is the time in ms up to which it follows each database."""

    generation: str
    by_player: Mapping[int, BoardRecord]
    as_of: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class RecordsPage:
    """Some players who have a record; `members` are in the order, `records` have a record, of the whole board."""

    cursor: str
    members: int
    records: int
    ids: Sequence[int]


class BoardRecords:
    """One per node."""

    def __init__(self, redis: Redis) -> None:
        self._lost = LostBoards(redis)
        self._look = Script(redis, __package__, "look", LookCall, CONSTANTS, self._lost.lose)
        self._scan = Script(redis, __package__, "scan", ScanCall, CONSTANTS, self._lost.lose)

    async def of(self, contest: Contest, ids: Sequence[int]) -> Records:
        """The records of those of the players who have one."""
        call = LookCall(state=contest.state, prefix=contest.prefix, ids=[pack_id(player_id) for player_id in ids])
        with translated(BoardUnavailable, AWAY):
            answer = await self._look(call)
        return await self._lost.read(contest, answer, functools.partial(_records_of, ids))

    async def page(self, contest: Contest, cursor: str, limit: int) -> RecordsPage:
        """About `limit` players behind a cursor, FIRST at the beginning; or exactly as many at random with ANY."""
        call = ScanCall(state=contest.state, prefix=contest.prefix, cursor=cursor, limit=limit)
        with translated(BoardUnavailable, AWAY):
            answer = await self._scan(call)
        return await self._lost.read(contest, answer, _page_of)


def _records_of(ids: Sequence[int], answer: Any) -> Records:
    live, times, entries = answer
    generation = live.decode()
    by_player = {}
    for player_id, (record, score) in zip(ids, entries, strict=True):
        if record:
            reached, version, card = unpack_record(record)
            unpack_card(card)
            shown = shown_score(generation, score) if score else None
            by_player[player_id] = BoardRecord(shown, reached, version, card, whole=bool(score))
    pairs = zip(times[::2], times[1::2], strict=True)
    return Records(generation, by_player, {database.decode(): int(time) for database, time in pairs})


def _page_of(answer: Any) -> RecordsPage:
    _, after, members, records, *packed = answer
    ids = [int.from_bytes(each) for each in packed if len(each) == ID_BYTES]
    if len(ids) < len(packed) or max(ids, default=0) > LARGEST_ID:
        raise ValueError("not the ids of players")
    return RecordsPage(after.decode(), members, records, ids)
