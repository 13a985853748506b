"""Reads of leaderboards: one Lua call for each question, so that a rank and its neighbours are of one moment.

Law: a board is never silently short. The live generation is read, and until there is one, reads raise
BoardUnavailable. Order is (score, time at which it was reached, id): a member of the sorted set is the time and the id
as big-endian bytes, and its score is negated where the highest comes first, so equal scores stand as they were
reached. Scores are exact to 53 bits. Every answer has the ledger's time as of which it holds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from redis.asyncio import Redis

from gameserver.rules.errors import BoardUnavailable, NotOnBoard
from gameserver.storage.boards.layout import (
    CONSTANTS,
    Card,
    Contest,
    card_of,
    cursor,
    pack_id,
    parse_cursor,
    shown_score,
    ties_of,
    unpack_member,
)
from gameserver.storage.boards.lost_boards import AWAY, BUILT, LostBoards
from gameserver.storage.redis.coalescing import CoalescedScript
from gameserver.storage.redis.faults import translated
from gameserver.storage.redis.scripts import Script


@dataclass(slots=True)
class Standing:
    """One place on a board; ranks count from 1. `reached_at` is in µs since 1970.

    `behind` is how many are behind the player with a worse score, where `ranks` was asked.
    """

    rank: int
    score: int
    reached_at: int
    player_id: int
    card: Card
    behind: int = 0


@dataclass(slots=True)
class Page:
    """Standings in their order; `after` continues behind the last one, and is None at the board's end.

    `as_of` is the ledger's time in ms, 0 while it isn't known, None for what is stored and doesn't change.
    """

    total: int
    as_of: int | None
    standings: Sequence[Standing]
    after: str | None = None


class PageCall(NamedTuple):
    state: str
    prefix: str
    places: int
    limit: int
    score: str
    after: bytes


class AroundCall(NamedTuple):
    state: str
    prefix: str
    places: int
    id: bytes
    radius: int


class RanksCall(NamedTuple):
    state: str
    prefix: str
    places: int
    ids: Sequence[bytes]


class WouldBeCall(NamedTuple):
    state: str
    prefix: str
    places: int
    id: bytes
    score: str


class Boards:
    """For the commands."""

    def __init__(self, redis: Redis) -> None:
        self._lost = LostBoards(redis)
        lose = self._lost.lose
        self._page = CoalescedScript(Script(redis, __package__, "page", PageCall, CONSTANTS, lose))
        self._around = CoalescedScript(Script(redis, __package__, "around", AroundCall, CONSTANTS, lose))
        self._ranks = CoalescedScript(Script(redis, __package__, "ranks", RanksCall, CONSTANTS, lose))
        self._would_be = Script(redis, __package__, "would_be", WouldBeCall, CONSTANTS, lose)

    async def top(self, contest: Contest, limit: int, after: str | None) -> Page:
        """At most `limit` standings from the top, or behind `after`. Raises BadInput, BoardUnavailable."""
        score, member = parse_cursor(contest, after) if after else ("", b"")
        call = PageCall(
            state=contest.state,
            prefix=contest.prefix,
            places=contest.board.size,
            limit=limit,
            score=score,
            after=member,
        )
        with translated(BoardUnavailable, AWAY):
            answer = await self._page(call)
        page, first = await self._lost.read(contest, answer, _page_of)
        if page.standings and first + len(page.standings) < page.total:
            last = page.standings[-1]
            page.after = cursor(contest, last.score, last.reached_at, last.player_id)
        return page

    async def around(self, contest: Contest, player_id: int, radius: int) -> Page:
        """A player and at most `radius` on either side. Raises NotOnBoard, BoardUnavailable."""
        call = AroundCall(
            state=contest.state,
            prefix=contest.prefix,
            places=contest.board.size,
            id=pack_id(player_id),
            radius=radius,
        )
        with translated(BoardUnavailable, AWAY):
            answer = await self._around(call)
        if answer == []:
            raise NotOnBoard("The player isn't on this board.")
        return (await self._lost.read(contest, answer, _page_of))[0]

    async def present(self, contests: Sequence[Contest]) -> list[Contest]:
        """Those that have keys, also where they can't be read yet. Raises BoardUnavailable."""
        with translated(BoardUnavailable, AWAY):
            return await self._lost.present(contests)

    async def would_be(self, contest: Contest, player_id: int, score: int) -> int | None:
        """The rank of a player that reached this score now; None beyond the board's places. Raises BoardUnavailable."""
        call = WouldBeCall(
            state=contest.state,
            prefix=contest.prefix,
            places=contest.board.size,
            id=pack_id(player_id),
            score=str(score),
        )
        with translated(BoardUnavailable, AWAY):
            rank = await self._would_be(call)
        if rank is None:
            raise BoardUnavailable(BUILT, retry_after=1)
        return int(rank) or None

    async def ranks(self, contest: Contest, ids: Sequence[int]) -> Page:
        """The standings of those that are on the board, in the order of `ids`. Raises BoardUnavailable."""
        packed = [pack_id(player_id) for player_id in ids]
        call = RanksCall(state=contest.state, prefix=contest.prefix, places=contest.board.size, ids=packed)
        with translated(BoardUnavailable, AWAY):
            answer = await self._ranks(call)
        return await self._lost.read(contest, answer, _ranks_of)


def _ranks_of(answer: Any) -> Page:
    live, as_of, total, ranks = answer
    name = live.decode()
    standings = []
    for rank, behind, member, score, record in filter(None, ranks):
        reached, player_id = unpack_member(member)
        standings.append(Standing(rank, shown_score(name, score), reached, player_id, card_of(record), behind))
    return Page(total, as_of, standings)


def _page_of(answer: Any) -> tuple[Page, int]:
    """The page, and how many are before it."""
    live, as_of, total, first, rank = answer[:5]
    name = live.decode()
    ties = ties_of(name)
    standings: list[Standing] = []
    before = None
    for at in range(5, len(answer), 3):
        score = shown_score(name, answer[at + 1])
        place = (at - 5) // 3
        if place and (score != before or ties == "first"):
            rank = rank + 1 if ties == "dense" else first + place + 1
        before = score
        reached, player_id = unpack_member(answer[at])
        standings.append(Standing(rank, score, reached, player_id, card_of(answer[at + 2])))
    return Page(total, as_of, standings), first
