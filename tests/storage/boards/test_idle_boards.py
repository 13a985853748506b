"""Boards that nobody asks for: built anew when they come back late, and gone with all their keys when they don't."""

from dataclasses import replace

import pytest
from redis.asyncio import Redis

from gameserver.rules.boards import Board
from gameserver.storage.boards.layout import Contest
from gameserver.storage.boards.lifecycle import BoardLifecycle
from gameserver.storage.boards.standings import Boards
from gameserver.storage.boards.writer import BoardWriter
from tests.storage.boards.test_evicted_parts import build, load_into
from tests.storage.boards.test_leaderboards import generations, places, places_on, player

BOARD = Contest(Board("idle", "exp"))
REDEFINED = replace(BOARD, board=Board("idle", "exp", "mage"))
PLAYERS = [player(number, exp) for number, exp in enumerate((9, 7, 5, 3), 1)]


async def idle(redis: Redis, contest: Contest, seconds: int) -> None:
    """Nobody has asked for it in so long."""
    await redis.hset(contest.state, "asked", (await redis.time())[0] - seconds)


async def test_a_board_that_comes_back_late_is_served_as_it_was_while_it_is_loaded_anew(
    redis: Redis, writer: BoardWriter, boards: Boards
) -> None:
    await build(redis, writer, BOARD, PLAYERS[:2])
    await idle(redis, BOARD, 300)
    (live,) = await generations(writer, BOARD)
    await idle(redis, BOARD, 900)
    assert [(each.name == live.name, each.is_next) for each in await generations(writer, BOARD)] == [
        (True, False),
        (False, True),
    ]
    now, coming = await generations(writer, BOARD)
    assert places_on((await boards.top(BOARD, 10, None)).standings) == places(PLAYERS[:2])
    await load_into(writer, BOARD, coming, PLAYERS)
    assert places_on((await boards.top(BOARD, 10, None)).standings) == places(PLAYERS)
    assert [each.name for each in await generations(writer, BOARD)] == [coming.name] != [now.name]


async def test_a_board_that_has_left_the_game_goes_with_all_its_keys_after_an_hour(
    redis: Redis, writer: BoardWriter
) -> None:
    lifecycle = BoardLifecycle(redis, writer)
    await build(redis, writer, BOARD, PLAYERS)
    await writer.listed.add([BOARD])
    assert await lifecycle.drop_idle(()) == 0
    await idle(redis, BOARD, 3601)
    assert await lifecycle.drop_idle([BOARD]) == 0, "the game has it, though no node could ask"
    await redis.sadd("gs:{boards}", "gs:{presence}:state", b"\xff")
    assert await lifecycle.drop_idle(()) == 3
    assert await redis.keys() == []


async def test_a_higher_edition_says_at_once_which_definition_is_wanted(redis: Redis, writer: BoardWriter) -> None:
    names = ["one"]

    async def asked(contest: Contest, edition: int, *, starting: bool = False) -> list[tuple[bool, bool]]:
        """Of each generation that is returned, whether it is of this definition, and the next one."""
        (found,) = await writer.generations([contest], "one", names, edition=edition, starting=starting)
        return [(each.name.startswith(contest.definition), each.is_next) for each in found]

    await build(redis, writer, BOARD, PLAYERS)
    assert await asked(BOARD, 1) == [(True, False)]
    assert await asked(REDEFINED, 2) == [(True, True)]
    for starting in (False, True):
        assert await asked(BOARD, 1, starting=starting) == [(True, False)]
    assert await asked(REDEFINED, 2) == [(True, True)], "it is still being built"


@pytest.mark.parametrize("edition", [0, 3])
async def test_of_one_edition_the_node_that_starts_last_says_what_is_wanted(
    redis: Redis, writer: BoardWriter, edition: int
) -> None:
    await build(redis, writer, BOARD, PLAYERS)
    await writer.generations([BOARD], "one", ["one"], edition=edition)
    (found,) = await writer.generations([REDEFINED], "one", ["one"], edition=edition)
    assert found == []
    (found,) = await writer.generations([REDEFINED], "one", ["one"], edition=edition, starting=True)
    assert [each.is_next for each in found] == [True]
