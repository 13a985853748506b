"""Boards in Valkey: order, exactness, pages, and calls that come late or from the past."""

import random
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from redis.asyncio import Redis

from gameserver.rules.boards import Board, Order, Ties
from gameserver.rules.errors import BadInput, BoardUnavailable, NotOnBoard
from gameserver.rules.levels import EXP_CAP
from gameserver.rules.player import Player
from gameserver.storage.boards import writer as board_writer
from gameserver.storage.boards.layout import Contest
from gameserver.storage.boards.ranked import RankedPlayer
from gameserver.storage.boards.standings import Boards, Standing
from gameserver.storage.boards.writer import BoardWriter, Generation, LoadStep
from gameserver.storage.ids import LARGEST_ID
from gameserver.storage.redis import clients
from tests.support.servers import Servers

EXP, MAGE = Contest(Board("exp", "exp")), Contest(Board("mage", "exp", "mage"))
BOARDS = (EXP, MAGE)
LOAD = LoadStep("one", "a load")
START = datetime(2026, 1, 1, tzinfo=UTC)
ids = st.integers(0, LARGEST_ID)
scores = st.integers(0, 3) | st.integers(0, EXP_CAP) | st.sampled_from([EXP_CAP, EXP_CAP - 1])
times = st.integers(0, 3) | st.integers(0, 10**15)


def player(number: int, exp: int, reached: int = 0, version: int = 1, class_name: str = "mage") -> Player:
    at = START + timedelta(microseconds=reached)
    return Player(number, "Ann", class_name, 1, 1, exp, version, START, at)


states = st.builds(player, ids, scores, times, st.integers(1, 5), st.sampled_from(["mage", "priest"]))


def placed(players: Iterable[Player]) -> list[RankedPlayer]:
    """Players as a follower reads them."""
    return [RankedPlayer(each, each.exp_reached_at, False, {}) for each in players]


async def generations(writer: BoardWriter, contest: Contest, names: Sequence[str] = ("one",)) -> list[Generation]:
    return (await writer.generations([contest], names[0], names))[0]


async def load(
    writer: BoardWriter, players: Iterable[Player], names: Sequence[str] = ("one",), boards: Sequence[Contest] = BOARDS
) -> None:
    """Loads the players of the first of the databases into every generation of every board."""
    found = placed(players)
    for board in boards:
        for generation in await generations(writer, board, names):
            step = LoadStep(names[0], "a load")
            await writer.begin_load(board, generation.name, step.database, step.load)
            assert await writer.apply_load(board, generation.name, step, found)
            assert await writer.end_load(board, generation.name, step, "1")


async def catch_up(writer: BoardWriter, board: Contest, names: Sequence[str]) -> bool:
    """The first database's follower says that it has; whether the board became live."""
    return any([await writer.ready(board, each.name, names[0], names) for each in await generations(writer, board)])


async def fresh(redis: Redis, writer: BoardWriter, players: Iterable[Player] = ()) -> None:
    """Live boards of one database with these players."""
    await redis.flushall()
    await load(writer, players)
    for board in BOARDS:
        assert await catch_up(writer, board, ["one"])


async def write(writer: BoardWriter, players: Sequence[Player], gone: Sequence[int] = ()) -> None:
    """A follower's call for every board."""
    followed = [(board, (await generations(writer, board))[0]) for board in BOARDS]
    checkpoint = str(int(followed[0][1].checkpoint) + 1)
    changed = [each._replace(gone=each.player.id in gone) for each in placed(players)]
    assert await writer.apply(followed, "one", checkpoint, changed) == [True] * len(BOARDS)


def places(players: Iterable[Player]) -> list[tuple[int, int, datetime, int]]:
    """Rank, score, time and id of each in the order that a board promises."""
    ordered = sorted(players, key=lambda each: (-each.exp, each.exp_reached_at, each.id))
    return [(rank, each.exp, each.exp_reached_at, each.id) for rank, each in enumerate(ordered, 1)]


def places_on(standings: Iterable[Standing]) -> list[tuple[int, int, datetime, int]]:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return [
        (each.rank, each.score, epoch + timedelta(microseconds=each.reached_at), each.player_id) for each in standings
    ]


async def whole(boards: Boards, board: Contest, limit: int = 200) -> list[tuple[int, int, datetime, int]]:
    """The board, page by page."""
    found, after = [], None
    while True:
        page = await boards.top(board, limit, after)
        found += places_on(page.standings)
        assert len(found) <= page.total
        if page.after is None:
            assert page.total == len(found)
            return found
        assert len(page.standings) == limit
        after = page.after


def newest(history: Iterable[Player]) -> list[Player]:
    """Each player's state of the highest version."""
    found: dict[int, Player] = {}
    for each in history:
        if each.id not in found or found[each.id].version < each.version:
            found[each.id] = each
    return list(found.values())


histories = st.lists(states, max_size=40, unique_by=lambda each: (each.id, each.version))


@settings(max_examples=50)
@given(history=histories, pieces=st.integers(1, 4), limit=st.integers(1, 7))
async def test_a_board_stands_in_the_order_of_score_time_and_id_whatever_order_the_rows_come_in(
    redis: Redis, writer: BoardWriter, boards: Boards, history: list[Player], pieces: int, limit: int
) -> None:
    await fresh(redis, writer)
    for piece in range(pieces):
        await write(writer, newest(history[piece::pieces]))
    assert await whole(boards, EXP, limit) == places(newest(history))


@settings(max_examples=30)
@given(history=histories)
async def test_players_of_a_class_are_on_its_board_alone_after_any_changes_of_class(
    redis: Redis, writer: BoardWriter, boards: Boards, history: list[Player]
) -> None:
    await fresh(redis, writer)
    for version in range(1, 6):
        await write(writer, [each for each in history if each.version == version])
    assert await whole(boards, MAGE) == places(each for each in newest(history) if each.class_name == "mage")
    assert await whole(boards, EXP) == places(newest(history))


@settings(max_examples=40)
@given(
    few=st.lists(states, min_size=1, max_size=25, unique_by=lambda each: each.id),
    radius=st.integers(0, 6),
    pick=st.integers(0, 100),
)
async def test_the_places_around_a_player_are_the_boards_own_also_at_its_edges(
    redis: Redis, writer: BoardWriter, boards: Boards, few: list[Player], radius: int, pick: int
) -> None:
    await fresh(redis, writer, few)
    expected = places(few)
    at = pick % len(few)
    page = await boards.around(EXP, expected[at][3], radius)
    assert places_on(page.standings) == expected[max(0, at - radius) : at + radius + 1]
    assert page.total == len(few)
    wanted = [each.id for each in few[::2]] + [few[0].id ^ 1]
    ranks = await boards.ranks(EXP, wanted)
    by_id = {each[3]: each for each in expected}
    assert places_on(ranks.standings) == [by_id[player_id] for player_id in wanted if player_id in by_id]


async def test_scores_are_exact_up_to_53_bits(redis: Redis, writer: BoardWriter, boards: Boards) -> None:
    wanted = [EXP_CAP, EXP_CAP - 1, EXP_CAP - 2, 2**52 + 1, 2**52, 1, 0]
    await fresh(redis, writer, [player(each, exp) for each, exp in enumerate(wanted)])
    assert [(score, who) for _, score, _, who in await whole(boards, EXP, 2)] == [
        (exp, each) for each, exp in enumerate(wanted)
    ]


@pytest.mark.parametrize("ties", ["first", "competition", "dense"])
async def test_a_rank_is_foreseen_by_the_order_that_is_served_while_that_of_the_game_has_changed(
    redis: Redis, writer: BoardWriter, boards: Boards, ties: Ties
) -> None:
    orders: list[Order] = ["desc", "asc"]
    served, changed = [Contest(Board("turned", "exp", ties=ties, order=order)) for order in orders]
    await redis.flushall()
    await load(writer, [player(number, exp) for number, exp in enumerate([30, 20, 10], 1)], boards=[served])
    assert await catch_up(writer, served, ["one"])
    for contest in (served, changed):
        assert [await boards.would_be(contest, 9, score) for score in (40, 25, 5)] == [1, 2, 4]


async def test_equal_scores_stand_as_they_were_reached_and_then_by_id(
    redis: Redis, writer: BoardWriter, boards: Boards
) -> None:
    zero_bytes, high_bytes = 1 << 40, 0xFF << 40 | 0xFF
    at_once = [player(each, 7, 255) for each in (2, zero_bytes, high_bytes, 255, 256, 1)]
    later = [player(5, 7, 256), player(0, 7, 1 << 32)]
    await fresh(redis, writer, at_once + later)
    order = [who for _, _, _, who in await whole(boards, EXP, 1)]
    assert order == [*sorted(each.id for each in at_once), 5, 0]


@settings(max_examples=30)
@given(
    few=st.lists(states, min_size=3, max_size=30, unique_by=lambda each: each.id),
    limit=st.integers(1, 5),
    moves=st.lists(st.tuples(st.integers(0, 100), scores), max_size=10),
)
async def test_pages_of_a_board_that_moves_show_whoever_stood_still_exactly_once(
    redis: Redis,
    writer: BoardWriter,
    boards: Boards,
    few: list[Player],
    limit: int,
    moves: list[tuple[int, int]],
) -> None:
    """Also when the player whom a cursor names has moved away or left the board."""
    await fresh(redis, writer, few)
    movers, seen, after, left = set[int](), list[int](), None, list(moves)
    while True:
        page = await boards.top(EXP, limit, after)
        seen += [each.player_id for each in page.standings]
        assert places_on(page.standings) == sorted(places_on(page.standings))
        if page.after is None:
            break
        after = page.after
        if left:
            which, score = left.pop()
            moved = few[which % len(few)] if which % 2 else next(e for e in few if e.id == seen[-1])
            movers.add(moved.id)
            await write(writer, [moved._replace(version=10 + len(movers) + len(moves) - len(left), exp=score)])
    still = [each[3] for each in places(few) if each[3] not in movers]
    assert [each for each in seen if each not in movers] == still


async def test_changing_class_moves_a_player_between_boards_and_never_shows_him_on_two(
    redis: Redis, writer: BoardWriter, boards: Boards
) -> None:
    mage = player(1, 500)
    await fresh(redis, writer, [mage, player(2, 400, class_name="priest")])
    await write(writer, [mage._replace(class_name="priest", version=2)])
    assert [each[3] for each in await whole(boards, MAGE)] == []
    with pytest.raises(NotOnBoard):
        await boards.around(MAGE, 1, 1)
    await write(writer, [player(2, 400, version=2)])
    assert [each[3] for each in await whole(boards, MAGE)] == [2]
    assert [each[3] for each in await whole(boards, EXP)] == [1, 2]


async def test_the_call_of_a_follower_that_fell_behind_changes_nothing(
    redis: Redis, writer: BoardWriter, boards: Boards
) -> None:
    await fresh(redis, writer, [player(1, 10)])
    (stale,) = await generations(writer, EXP)
    await write(writer, [player(1, 20, version=2)])
    before = await whole(boards, EXP), await generations(writer, EXP)
    (now,) = before[1]
    late = placed([player(1, 30, version=3), player(2, 5)])
    followed = [(EXP, stale), (EXP, Generation("gone", now.checkpoint))]
    assert await writer.apply(followed, "one", "99", late) == [False, False]
    assert await writer.apply([(EXP, now)], "two", "99", late) == [False]
    assert (await whole(boards, EXP), await generations(writer, EXP)) == before


async def test_the_calls_of_a_load_that_was_superseded_change_nothing(redis: Redis, writer: BoardWriter) -> None:
    (generation,) = await generations(writer, EXP)
    name, late = generation.name, placed([player(1, 10)])
    await writer.begin_load(EXP, name, "one", "first")
    await writer.begin_load(EXP, name, "one", "second")
    first, second = LoadStep("one", "first"), LoadStep("one", "second")
    assert not await writer.apply_load(EXP, name, first, late)
    assert not await writer.end_load(EXP, name, first, "9")
    assert await writer.apply_load(EXP, name, second, [])
    assert await writer.end_load(EXP, name, second, "1")
    assert not await writer.apply_load(EXP, name, second, late)
    assert await redis.keys("*:order") == []


async def test_a_board_is_unavailable_until_every_database_is_loaded_and_every_follower_has_caught_up_since(
    redis: Redis, writer: BoardWriter, boards: Boards
) -> None:
    assert not await catch_up(writer, EXP, ["one", "two"])
    await load(writer, [player(1, 10)], ["one", "two"])
    assert not await catch_up(writer, EXP, ["one", "two"])
    await load(writer, [player(2, 20)], ["two", "one"])
    assert not await catch_up(writer, EXP, ["two", "one"]), "'one' caught up before the last load began"
    for read in (boards.top(EXP, 5, None), boards.around(EXP, 1, 2), boards.ranks(EXP, [1])):
        with pytest.raises(BoardUnavailable):
            await read
    assert await catch_up(writer, EXP, ["one", "two"])
    assert [each[3] for each in await whole(boards, EXP)] == [2, 1]


async def test_a_board_that_is_built_anew_serves_the_old_one_until_then_and_leaves_nothing_of_it(
    redis: Redis, writer: BoardWriter, boards: Boards
) -> None:
    await fresh(redis, writer, [player(1, 10)])
    await writer.renew(EXP)
    live, coming = await generations(writer, EXP)
    await writer.renew(EXP)
    assert (await generations(writer, EXP))[1] == coming
    await writer.renew(EXP, unusable=coming.name)
    _, other = await generations(writer, EXP)
    assert other.name != coming.name
    late = placed([player(3, 3)])
    assert not await writer.apply_load(EXP, coming.name, LoadStep("one", ""), late)
    await writer.begin_load(EXP, other.name, "one", "a load")
    assert await writer.apply_load(EXP, other.name, LOAD, placed([player(2, 20)]))
    assert [each[3] for each in await whole(boards, EXP)] == [1]
    assert await writer.end_load(EXP, other.name, LOAD, "5")
    assert await writer.ready(EXP, other.name, "one", ["one"])
    assert [each[3] for each in await whole(boards, EXP)] == [2]
    assert await writer.apply([(EXP, live)], "one", "9", late) == [False]
    keys: list[Any] = await redis.keys(f"{EXP.prefix}*")
    parts = {key.decode().removeprefix(EXP.prefix) for key in keys}
    assert parts == {"state", *(f"{other.name}:{part}" for part in PARTS)}


@settings(max_examples=60)
@given(history=histories, order=st.randoms(use_true_random=False), gone=st.sets(st.integers(0, 39)))
async def test_whoever_left_a_board_is_not_brought_back_by_rows_that_come_late(
    redis: Redis, writer: BoardWriter, boards: Boards, history: list[Player], order: random.Random, gone: set[int]
) -> None:
    """Changes of class and bans, whose rows come one by one and in any order."""
    await fresh(redis, writer)
    banned = {(each.id, each.version) for number, each in enumerate(history) if number in gone}
    shuffled = order.sample(history, len(history))
    for each in shuffled:
        await write(writer, [each], [each.id] if (each.id, each.version) in banned else [])
    there = [each for each in newest(history) if (each.id, each.version) not in banned]
    assert await whole(boards, EXP) == places(there)
    assert await whole(boards, MAGE) == places(each for each in there if each.class_name == "mage")


async def test_an_older_row_of_a_load_brings_nobody_back_who_left_meanwhile(
    redis: Redis, writer: BoardWriter, boards: Boards
) -> None:
    await fresh(redis, writer, [player(1, 10)])
    await writer.renew(EXP)
    live, coming = await generations(writer, EXP)
    await writer.begin_load(EXP, coming.name, "one", "a load")
    leaves = [each._replace(gone=True) for each in placed([player(1, 10, version=2), player(2, 20, version=5)])]
    assert await writer.apply([(EXP, live)], "one", "2", leaves) == [True]
    assert await writer.repair(EXP, coming.name, leaves)
    late = placed([player(1, 10), player(2, 20, version=4), player(3, 5)])
    assert await writer.apply_load(EXP, coming.name, LOAD, late)
    assert await writer.end_load(EXP, coming.name, LOAD, "1")
    assert await writer.ready(EXP, coming.name, "one", ["one"])
    assert [each[3] for each in await whole(boards, EXP)] == [3]
    (now,) = await generations(writer, EXP)
    back = placed([player(1, 11, version=3)])
    assert await writer.apply([(EXP, now)], "one", "2", back) == [True]
    assert [each[3] for each in await whole(boards, EXP)] == [1, 3]


async def test_tombstones_go_in_time_but_never_while_a_load_goes_on(
    redis: Redis, writer: BoardWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fresh(redis, writer, [player(1, 10)])
    (now,) = await generations(writer, EXP)

    async def tombstones() -> int:
        return sum([await redis.hlen(EXP.key(now.name, part)) for part in ("gone", "gone_before")])

    await write(writer, [player(1, 10, version=2)], gone=[1])
    await write(writer, [])
    assert await tombstones() == 1
    monkeypatch.setattr(board_writer, "TOMBSTONE_SECONDS", 0)
    await writer.begin_load(EXP, now.name, "one", "a load")
    for _ in range(3):
        await write(writer, [])
    assert await tombstones() == 1
    assert await writer.end_load(EXP, now.name, LOAD, "1")
    await write(writer, [])
    await write(writer, [])
    assert await tombstones() == 0


PARTS = ("order", "members", "checkpoints")


async def test_a_cursor_that_isnt_one_of_the_board_is_refused(
    redis: Redis, writer: BoardWriter, boards: Boards
) -> None:
    await fresh(redis, writer, [player(each, each) for each in range(5)])
    good = (await boards.top(EXP, 2, None)).after
    assert good is not None
    name, season, score, member = good.split("~")
    bad = ["x", "~~~", f"mage~{season}~{score}~{member}", f"{name}~1~{score}~{member}", f"{name}~0~{1 << 53}~{member}"]
    bad += [f"{name}~0~{score}~{member[2:]}", f"{name}~0~nan~{member}", f"{name}~0~{score}~{'g' * 32}", f"{good}~"]
    bad += [f"{name}~0~--1~{member}", f"{name}~0~{score}", f"{name}~0~\u0663~{member}"]
    for cursor in bad:
        with pytest.raises(BadInput):
            await boards.top(EXP, 2, cursor)


async def test_boards_of_a_redis_that_is_away_are_unavailable(servers: Servers) -> None:
    client = clients.connect(SecretStr("redis://127.0.0.1:1/0"))
    boards = Boards(client)
    for read in (boards.top(EXP, 5, None), boards.around(EXP, 1, 2), boards.ranks(EXP, [1])):
        with pytest.raises(BoardUnavailable):
            await read
    await client.aclose()
