"""Boards of which Redis has evicted a part: never shown short, never repaired by halves, and built anew at once."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import pytest
from redis.asyncio import Redis

from gameserver.rules.boards import Board, Ties
from gameserver.rules.errors import BoardUnavailable
from gameserver.rules.player import Player
from gameserver.storage.boards.layout import Contest
from gameserver.storage.boards.standings import Boards
from gameserver.storage.boards.writer import BoardWriter, Generation
from tests.storage.boards.test_leaderboards import LOAD, generations, placed, places, places_on, player


@pytest.mark.parametrize("ties", ["first", "dense"])
@pytest.mark.parametrize(
    "parts",
    [["order"], ["members"], ["order", "members"], ["checkpoints"], ["checkpoints", "order", "members"], ["state"]],
    ids="+".join,
)
async def test_a_board_of_which_redis_has_evicted_a_part_is_unavailable_until_it_has_been_built_anew(
    redis: Redis, writer: BoardWriter, boards: Boards, parts: Sequence[str], ties: Ties
) -> None:
    contest = Contest(Board("evicted", "exp", ties=ties))
    players = [player(number, exp) for number, exp in enumerate((9, 7, 5, 3), 1)]
    await build(redis, writer, contest, players)
    (live,) = await generations(writer, contest)
    assert places_on((await boards.top(contest, 10, None)).standings) == places(players)

    keys = [contest.state if part == "state" else contest.key(live.name, part) for part in parts]
    assert await redis.delete(*keys) == len(keys)
    await unavailable(boards, contest)
    # A follower that hasn't noticed yet hides nothing with what it writes.
    await writer.apply([(contest, live)], "one", "next", placed([player(9, 20)]))
    await unavailable(boards, contest)
    # The next look gives the generation up and begins another one, which comes back whole.
    (following,) = await generations(writer, contest)
    assert (following.name != live.name, following.is_next) == (True, True)
    await unavailable(boards, contest)
    await load_into(writer, contest, following, players)
    assert places_on((await boards.top(contest, 10, None)).standings) == places(players)
    assert parts == ["state"] or not [key async for key in redis.scan_iter(contest.key(live.name, "*"))]


async def test_the_distinct_scores_of_a_dense_board_are_a_part_of_it(
    redis: Redis, writer: BoardWriter, boards: Boards
) -> None:
    contest = Contest(Board("dense", "exp", ties="dense"))
    await build(redis, writer, contest, [player(1, 5), player(2, 5), player(3, 1)])
    (live,) = await generations(writer, contest)
    await redis.delete(contest.key(live.name, "scores"))
    await unavailable(boards, contest)


async def test_a_generation_that_loses_a_part_while_it_is_built_never_becomes_live(
    redis: Redis, writer: BoardWriter, boards: Boards
) -> None:
    contest = Contest(Board("building", "exp"))
    await build(redis, writer, contest, [player(1, 5)], ready=False)
    (building,) = await generations(writer, contest)
    await redis.delete(contest.key(building.name, "order"))
    assert not await writer.ready(contest, building.name, "one", ["one"])
    (following,) = await generations(writer, contest)
    assert following.name != building.name
    await unavailable(boards, contest)


async def test_a_board_without_players_is_served_empty_also_after_its_last_one_has_left(
    redis: Redis, writer: BoardWriter, boards: Boards
) -> None:
    contest = Contest(Board("empty", "exp", class_name="mage"))
    await build(redis, writer, contest, [])
    assert (await boards.top(contest, 10, None)).standings == []
    (live,) = await generations(writer, contest)
    assert await writer.apply([(contest, live)], "one", "more", placed([player(1, 5)])) == [True]
    await writer.apply([(contest, replace(live, checkpoint="more"))], "one", "most",
                       placed([player(1, 5, version=2, class_name="priest")]))  # fmt: skip
    assert (await boards.top(contest, 10, None)).standings == []


async def test_a_live_board_of_an_older_version_is_adopted_as_it_is(
    redis: Redis, writer: BoardWriter, boards: Boards
) -> None:
    contest = Contest(Board("older", "exp"))
    await build(redis, writer, contest, [player(1, 5)])
    (live,) = await generations(writer, contest)
    await redis.hdel(contest.key(live.name, "checkpoints"), "whole", "filled")
    assert await generations(writer, contest) == [live]
    assert len((await boards.top(contest, 10, None)).standings) == 1


async def unavailable(boards: Boards, contest: Contest) -> None:
    for read in (boards.top(contest, 10, None), boards.around(contest, 1, 2), boards.ranks(contest, [1])):
        with pytest.raises(BoardUnavailable):
            await read


async def build(
    redis: Redis, writer: BoardWriter, contest: Contest, players: Iterable[Player], *, ready: bool = True
) -> None:
    await redis.flushdb()
    (generation,) = await generations(writer, contest)
    await load_into(writer, contest, generation, players, ready=ready)


async def load_into(
    writer: BoardWriter, contest: Contest, generation: Generation, players: Iterable[Player], *, ready: bool = True
) -> None:
    name = generation.name
    await writer.begin_load(contest, name, "one", "a load")
    assert await writer.apply_load(contest, name, LOAD, placed(players), first=True)
    assert await writer.end_load(contest, name, LOAD, "loaded")
    if ready:
        assert await writer.ready(contest, name, "one", ["one"])
