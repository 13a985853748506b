"""A board whose keys can't be read is never shown: it is dropped, and the followers build it anew."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from redis.asyncio import Redis

from gameserver.rules.boards import Board, Ties
from gameserver.rules.errors import BoardUnavailable
from gameserver.storage.boards.layout import Contest
from gameserver.storage.boards.records import FIRST, BoardRecords
from gameserver.storage.boards.standings import Boards
from gameserver.storage.boards.writer import BoardWriter
from tests.storage.boards.test_evicted_parts import build, load_into, unavailable
from tests.storage.boards.test_leaderboards import generations, placed, places, places_on, player

PLAYERS = [player(number, exp) for number, exp in enumerate((9, 7, 5, 3), 1)]
Corrupt = Callable[[Redis, Contest, str], Awaitable[object]]


async def members_of_null(redis: Redis, contest: Contest, live: str) -> None:
    key = contest.key(live, "members")
    await redis.hset(key, mapping=dict.fromkeys(await redis.hkeys(key), "null"))


async def shortened_members(redis: Redis, contest: Contest, live: str) -> None:
    key = contest.key(live, "members")
    await redis.hset(key, mapping={field: value[:18] for field, value in (await redis.hgetall(key)).items()})


async def longer_order(redis: Redis, contest: Contest, live: str) -> None:
    key = contest.key(live, "order")
    members: Any = await redis.zrange(key, 0, -1)
    for number, member in enumerate(members):
        await redis.zrem(key, member)
        await redis.zadd(key, {member + b"x": number})


async def endless_order(redis: Redis, contest: Contest, live: str) -> None:
    key = contest.key(live, "order")
    members: Any = await redis.zrange(key, 0, -1)
    await redis.zadd(key, dict.fromkeys(members, float("inf")))


@pytest.mark.parametrize("ties", ["first", "dense"])
@pytest.mark.parametrize("corrupt", [members_of_null, shortened_members, longer_order, endless_order])
async def test_a_board_that_cant_be_read_is_dropped(
    redis: Redis, writer: BoardWriter, boards: Boards, corrupt: Corrupt, ties: Ties
) -> None:
    contest, records = Contest(Board("junk", "exp", ties=ties)), BoardRecords(redis)

    async def corrupted() -> str:
        await build(redis, writer, contest, PLAYERS)
        (live,) = await generations(writer, contest)
        await corrupt(redis, contest, live.name)
        return live.name

    async def looked_at() -> None:
        if "members" in corrupt.__name__ or corrupt is endless_order:
            await records.of(contest, [1, 2])
        else:
            await boards.ranks(contest, [1, 2])

    asking = (
        lambda: boards.top(contest, 10, None),
        lambda: boards.around(contest, 1, 5),
        lambda: boards.ranks(contest, [1, 2]),
        looked_at,
    )
    for ask in asking:
        live = await corrupted()
        with pytest.raises(BoardUnavailable):
            await ask()
        await unavailable(boards, contest)
        assert not [key async for key in redis.scan_iter(contest.key(live, "*"))]
        (following,) = await generations(writer, contest)
        await load_into(writer, contest, following, PLAYERS)
        assert places_on((await boards.top(contest, 10, None)).standings) == places(PLAYERS)
        await redis.flushdb()


@pytest.mark.parametrize("field", ["live", "next", "wanted", "asked", "edition"])
@pytest.mark.parametrize("junk", [b"null", b"nan", b"1e300", b"", b"\xff"])
async def test_a_state_that_cant_be_read_begins_anew(
    redis: Redis, writer: BoardWriter, boards: Boards, field: str, junk: bytes
) -> None:
    contest = Contest(Board("junk", "exp"))
    await build(redis, writer, contest, PLAYERS)
    for every in (False, True):
        fields = await redis.hkeys(contest.state) if every else [field]
        await redis.hset(contest.state, mapping=dict.fromkeys(fields, junk))
        for _ in range(2):
            found = await generations(writer, contest)
        now = found[-1]
        if now.is_next:
            await load_into(writer, contest, now, PLAYERS)
        assert places_on((await boards.top(contest, 10, None)).standings) == places(PLAYERS)


async def test_a_write_that_meets_a_record_that_isnt_one_gives_the_board_up(
    redis: Redis, writer: BoardWriter, boards: Boards
) -> None:
    contest = Contest(Board("junk", "exp"))
    await build(redis, writer, contest, PLAYERS)
    (live,) = await generations(writer, contest)
    await members_of_null(redis, contest, live.name)
    assert await writer.apply([(contest, live)], "one", "next", placed([player(1, 20)])) == [False]
    await unavailable(boards, contest)


async def test_what_isnt_a_players_id_gives_the_board_up(redis: Redis, writer: BoardWriter, boards: Boards) -> None:
    contest = Contest(Board("junk", "exp"))
    for junk in (b"null", b"\xff" * 8):
        await build(redis, writer, contest, PLAYERS)
        (live,) = await generations(writer, contest)
        await redis.hset(contest.key(live.name, "members"), junk, "null")
        with pytest.raises(BoardUnavailable):
            await BoardRecords(redis).page(contest, FIRST, 10)
        await unavailable(boards, contest)
        await redis.flushdb()
