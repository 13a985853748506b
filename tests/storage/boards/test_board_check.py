"""Checks find exactly what differs, also under load, and put it right; rebuilding goes on beside play and bans."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from gameserver.app import Core
from gameserver.cli import boards as cli
from gameserver.commands import board_repair, boards, moderation
from gameserver.commands.results import ChangedBy
from gameserver.config.settings import Settings
from gameserver.rules.errors import BoardUnavailable, GameError
from gameserver.rules.player import Player
from gameserver.storage.accounts.bans import BanChange
from gameserver.storage.boards import check as board_check
from gameserver.storage.boards import follower
from gameserver.storage.boards.check import BoardCheck
from gameserver.storage.boards.layout import Contest, pack_id
from gameserver.storage.boards.truth import Truth, read_truth
from gameserver.storage.boards.turns import OLDEST_READ_SECONDS
from gameserver.storage.boards.writer import BoardWriter
from tests.support.client import command_id
from tests.support.deployment import act, assert_ledger_explains, enlist_many, following, with_actions, working
from tests.support.wait import wait_until

BOARDS = '[boards.kills]\nscore = "points:kills"\nties = "dense"\n'


@pytest.fixture
async def core(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Core]:
    """Followed by a follower that tells more often than others up to when the boards are."""
    monkeypatch.setattr(follower, "TELL_SECONDS", 0.05)
    monkeypatch.setattr(board_check, "PAUSE_SECONDS", 0.02)
    changed = with_actions(settings, tmp_path, BOARDS, score="tests.storage.seasons.scoring_actions:score")
    async with working(changed) as opened, following(opened):
        yield opened


async def check(core: Core, board: str, *, repair: bool = False) -> set[int]:
    """The players of whom a full check says that they differ."""
    _, verdict = await board_repair.check_all(
        core.commands.board_repair, board, boards.CURRENT, lambda _: None, repair=repair
    )
    assert verdict.repaired == (verdict.found if repair else 0)
    return {each.player_id for each in verdict.differences}


async def play(core: Core, players: Sequence[Player], rounds: int) -> None:
    dice = random.Random(rounds)

    async def one(player: Player) -> None:
        for _ in range(rounds):
            with suppress(GameError):
                await act(core, player.id, "score", points={"kills": dice.randint(-3, 3)}, exp=dice.randint(0, 2))

    await asyncio.gather(*map(one, players))


async def live(core: Core, board: str) -> tuple[Contest, str]:
    """The contest, and its generation, once all is there."""
    contest = boards.contest(core.commands.leaderboards, board, boards.CURRENT)

    async def is_live() -> bool:
        with suppress(BoardUnavailable):
            return bool(await core.rooms.boards.lifecycle.live(contest))
        return False

    await wait_until(is_live, what="the board is live")
    return contest, await core.rooms.boards.lifecycle.live(contest)


async def test_a_check_names_exactly_those_who_differ_and_puts_them_right(core: Core) -> None:
    players = await enlist_many(core, 12)
    await play(core, players, 2)
    for board in ("exp", "kills"):
        contest, generation = await live(core, board)
        assert await check(core, board) == set()
        lost, moved, forgotten, nobody = players[0].id, players[1].id, players[2].id, players[3].id ^ 1
        order, members = contest.key(generation, "order"), contest.key(generation, "members")

        async def member(who: int, members: str = members) -> bytes:
            note: Any = await core.redis.commands.hget(members, pack_id(who))
            return bytes(note[:8] + pack_id(who))

        await core.redis.commands.zrem(order, await member(lost))
        await core.redis.commands.zincrby(order, 5, await member(moved))
        strange = (await member(moved))[:8] + pack_id(nobody)
        note = await core.redis.commands.hget(members, pack_id(moved))
        await core.redis.commands.zrem(order, await member(forgotten))
        await core.redis.commands.hdel(members, pack_id(forgotten))
        await core.redis.commands.hset(members, pack_id(nobody), note)
        await core.redis.commands.zadd(order, {strange: -7})
        assert await check(core, board) == {lost, moved, forgotten, nobody}
        assert await check(core, board, repair=True) == {lost, moved, forgotten, nobody}
        assert await check(core, board) == set()


async def test_the_checks_of_upkeep_put_right_what_differs(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    players = await enlist_many(core, 5)
    contest, generation = await live(core, "exp")
    assert await check(core, "exp") == set()
    for player in players[1:]:  # a board without any members has lost them, and is built anew
        await core.redis.commands.hdel(contest.key(generation, "members"), pack_id(player.id))
    monkeypatch.setattr(core.rooms.seasons.calendar, "contests", lambda _: [contest])

    async def is_right() -> bool:
        with suppress(GameError):
            await board_repair.check_some(core.commands.board_repair)
        return bool(await core.redis.commands.hlen(contest.key(generation, "members")) == len(players))

    await wait_until(is_right, 20, "all are noted again")
    assert await check(core, "exp") == set()


async def test_a_check_under_load_finds_nothing(core: Core) -> None:
    players = await enlist_many(core, 12)
    await live(core, "kills")
    playing = asyncio.create_task(play(core, players, 60))
    while not playing.done():
        assert await check(core, "kills") == set()
        assert await check(core, "exp") == set()
    await playing


async def test_a_board_is_rebuilt_while_players_play_and_are_banned(core: Core) -> None:
    players = await enlist_many(core, 12)
    await live(core, "kills")
    before, banned = {board: (await live(core, board))[1] for board in ("exp", "kills")}, players[:4]
    playing = asyncio.create_task(play(core, players, 40))

    async def judge(player: Player, *, banned: bool) -> None:
        await moderation.change_ban(
            core.commands.operations, "a test", BanChange(command_id(), player.id, banned, "a test")
        )

    for player in banned:
        for board in before:
            await board_repair.rebuild(
                core.commands.board_repair, ChangedBy("a test", "a test", command_id()), board, boards.CURRENT
            )
        await judge(player, banned=True)
    await judge(banned[0], banned=False)
    await playing
    for board, old in before.items():

        async def is_rebuilt(board: str = board, old: str = old) -> bool:
            return (await live(core, board))[1] != old

        await wait_until(is_rebuilt, what="the board was built anew")
        assert await check(core, board) == set()
        there = await boards.ranks(core.commands.leaderboards, board, boards.CURRENT, [each.id for each in players])
        assert set(there.missing) == {each.id for each in banned[1:]}
    await assert_ledger_explains(core, banned[0].id)


async def test_a_board_with_members_that_nobody_is_noted_for_is_built_anew(core: Core) -> None:
    (ann,) = await enlist_many(core, 1)
    contest, generation = await live(core, "exp")
    assert await check(core, "exp") == set()
    await core.redis.commands.zadd(contest.key(generation, "order"), {bytes(8) + pack_id(ann.id): -7})
    _, verdict = await board_repair.check(core.commands.board_repair, "exp", boards.CURRENT, 10, repair=True)
    assert (verdict.found, verdict.differences) == (1, [])

    async def is_right() -> bool:
        return (await live(core, "exp"))[1] != generation

    await wait_until(is_right, what="the board was built anew")
    assert [
        each.player_id
        for each in (await boards.top(core.commands.leaderboards, "exp", boards.CURRENT, 9, None)).page.standings
    ] == [ann.id]


async def test_a_sample_is_compared_chunk_by_chunk(core: Core) -> None:
    players = await enlist_many(core, 12)
    contest, generation = await live(core, "exp")
    assert await check(core, "exp") == set()
    checks = BoardCheck(core.redis.commands, core.slots, BoardWriter(core.redis.commands), chunk=5)
    compared = [0]
    report = await checks.sample(contest, 1_000_000, compared.append, repair=False)
    assert (report.found, report.compared) == (0, compared[-1])
    assert max(after - before for before, after in itertools.pairwise(compared)) == 5
    lost = players[1:]
    await core.redis.commands.hdel(contest.key(generation, "members"), *[pack_id(player.id) for player in lost])
    report = await checks.sample(contest, 1_000_000, repair=False)
    assert {difference.player_id for difference in report.differences} == {player.id for player in lost}


async def test_nothing_is_put_right_by_what_was_read_too_long_ago(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    """As by a checker that was frozen: the board may have forgotten since who has left it."""
    ann, _ = await enlist_many(core, 2, "one")  # so there is one first look at players of databases
    contest, generation = await live(core, "exp")
    assert await check(core, "exp") == set()
    await core.redis.commands.hdel(contest.key(generation, "members"), pack_id(ann.id))
    reads: list[Truth] = []

    async def read(*args: Any) -> Truth:
        reads.append(await read_truth(*args))
        if len(reads) == 1 + board_check.ROUNDS:
            reads[-1].began -= OLDEST_READ_SECONDS + 1
        return reads[-1]

    monkeypatch.setattr(board_check, "read_truth", read)
    checks = BoardCheck(core.redis.commands, core.slots, BoardWriter(core.redis.commands))
    report = await checks.full(contest, board_check.ignore, repair=True)
    once_more, members = 1, 1
    assert (report.found, report.repaired, len(reads)) == (1, 1, 1 + board_check.ROUNDS + once_more + members)


async def test_a_check_ends_where_every_read_takes_too_long(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    ann, _ = await enlist_many(core, 2, "one")
    contest, generation = await live(core, "exp")
    assert await check(core, "exp") == set()
    await core.redis.commands.hdel(contest.key(generation, "members"), pack_id(ann.id))
    reads: list[Truth] = []

    async def read(*args: Any) -> Truth:
        assert len(reads) < 20, "a check without end"
        reads.append(await read_truth(*args))
        reads[-1].began -= OLDEST_READ_SECONDS + 1
        return reads[-1]

    monkeypatch.setattr(board_check, "read_truth", read)
    checks = BoardCheck(core.redis.commands, core.slots, BoardWriter(core.redis.commands))
    with pytest.raises(BoardUnavailable, match="read too slowly"):
        await checks.full(contest, board_check.ignore, repair=True)
    assert len(reads) == 1 + board_check.MOST_ROUNDS


async def test_the_wait_for_a_board_that_nobody_builds_ends(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "PATIENCE_SECONDS", 0.1)
    with pytest.raises(BoardUnavailable):
        await cli._until_live(core, "exp", boards.CURRENT, "a generation that nobody makes")
