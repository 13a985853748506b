"""A board hears that a player isn't on it only when that may be news, and always then."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime

import pytest

from gameserver.app import Core
from gameserver.rules.boards import Board
from gameserver.rules.errors import GameError
from gameserver.rules.player import Player
from gameserver.storage.boards import whereabouts
from gameserver.storage.boards.layout import Contest, pack_id
from gameserver.storage.boards.ranked import RankedPlayer
from gameserver.storage.boards.whereabouts import Whereabouts
from gameserver.storage.boards.writer import Generation
from tests.storage.boards.test_follower import assert_agrees_soon, play
from tests.support.deployment import act, connected, enlist_many, following

AT = datetime(2026, 1, 1, tzinfo=UTC)
EXP, MAGE = Contest(Board("exp", "exp")), Contest(Board("mage", "exp", "mage"))
HIGH = Contest(Board("high", "exp", min_level=5))
FOLLOWED = [(contest, Generation(f"+f-{contest.board.name}", "1")) for contest in (EXP, MAGE, HIGH)]


def ranked(class_name: str = "priest", level: int = 1, *, gone: bool = False, moved: bool = False) -> RankedPlayer:
    player = Player(7, "Ann", class_name, level, 1, 5, 1, AT, AT)
    return RankedPlayer(player, AT, gone, {}, moved=moved)


def is_news(known: Whereabouts, state: RankedPlayer) -> bool:
    """Whether boards that the player isn't on hear of it, which is then written."""
    marked = known.marked([state])
    known.note(marked)
    return marked[0].moved


def followed() -> Whereabouts:
    known = Whereabouts()
    known.follow(FOLLOWED)
    return known


def test_a_player_that_is_where_it_was_is_no_news() -> None:
    known = followed()
    assert is_news(known, ranked())
    assert not is_news(known, ranked())
    assert not is_news(known, ranked(level=2))


def test_a_player_that_leaves_a_board_or_comes_to_one_is_news() -> None:
    known = followed()
    for state in (ranked(), ranked("mage"), ranked(), ranked(level=5), ranked(), ranked(gone=True), ranked()):
        assert is_news(known, state)


def test_a_player_whose_slot_came_from_another_database_is_news() -> None:
    known = followed()
    is_news(known, ranked())
    assert is_news(known, ranked(moved=True))


def test_to_another_generation_everything_is_news() -> None:
    known = followed()
    is_news(known, ranked())
    known.follow(FOLLOWED)
    assert not is_news(known, ranked())
    known.follow([*FOLLOWED[:-1], (HIGH, Generation("+f-next", "1"))])
    assert is_news(known, ranked())
    known.forget()
    assert is_news(known, ranked())


def test_only_some_players_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whereabouts, "REMEMBERED", 1)
    known = followed()
    is_news(known, ranked())
    other = ranked()._replace(player=ranked().player._replace(id=8))
    assert is_news(known, other)
    assert is_news(known, ranked())


@pytest.fixture
async def played(core: Core) -> AsyncIterator[Core]:
    async with following(core):
        yield core


async def tombstones(core: Core, player_id: int) -> int:
    """On how many boards there is one of the player."""
    redis, found = core.redis.commands, 0
    async for key in redis.scan_iter("gs:{board:*}:*:gone*"):
        found += bool(await redis.hexists(key, pack_id(player_id)))
    return found


async def forget_tombstones(core: Core) -> None:
    async for key in core.redis.commands.scan_iter("gs:{board:*}:*:gone*"):
        await core.redis.commands.delete(key)


async def test_boards_of_other_classes_hear_nothing_of_a_player_that_goes_on_acting(played: Core) -> None:
    players = await enlist_many(played, 4)
    await play(played, players)
    await assert_agrees_soon(played)
    assert await tombstones(played, players[0].id)
    await forget_tombstones(played)
    await play(played, players, 2)
    await assert_agrees_soon(played)
    assert not await tombstones(played, players[0].id)


async def test_boards_stay_right_while_players_change_their_class_and_boards_are_built_anew(played: Core) -> None:
    players = await enlist_many(played, 12)
    for database in played.slots.databases("players"):
        async with connected(database.url) as connection:
            await connection.execute("update players set exp = 100000, version = version + 1")
    draw = random.Random(7)

    async def change(player: Player) -> None:
        for _ in range(8):
            with suppress(GameError):
                await act(played, player.id, "change_class", **{"class": draw.choice(("mage", "priest", "fighter"))})
            with suppress(GameError):
                await act(played, player.id)
            await asyncio.sleep(draw.random() / 20)

    async def lose() -> None:
        for _ in range(3):
            await asyncio.sleep(0.15)
            await played.redis.commands.flushall()

    await asyncio.gather(lose(), *map(change, players))
    await assert_agrees_soon(played)
