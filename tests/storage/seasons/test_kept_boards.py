"""Boards by configuration: points that rules emit, operators, ties, levels, filters, and boards that are redefined."""

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gameserver.app import Core
from gameserver.commands import boards
from gameserver.config.settings import Settings
from gameserver.rules.boards import LARGEST_SCORE
from gameserver.rules.errors import BoardUnavailable, NotOnBoard
from gameserver.rules.player import Player
from gameserver.storage.boards.standings import Standing
from tests.support.client import command_id
from tests.support.deployment import act, connected, enlist, enlist_many, following, with_actions, working
from tests.support.wait import wait_until

BOARDS = """
[boards.kills]
score = "points:kills"
[boards.kills_dense]
score = "points:kills"
ties = "dense"
[boards.kills_shared]
score = "points:kills"
ties = "competition"
size = 3
[boards.fastest]
score = "points:lap"
operator = "best"
order = "asc"
[boards.farthest]
score = "points:jump"
operator = "best"
[boards.mood]
score = "points:mood"
operator = "last"
[boards.mage_kills]
score = "points:kills"
class = "mage"
[boards.level]
score = "level"
[boards.veterans]
score = "exp"
min_level = 3
"""
SCORE = "tests.storage.seasons.scoring_actions:score"


@pytest.fixture
async def core(settings: Settings, tmp_path: Path) -> AsyncIterator[Core]:
    async with working(with_actions(settings, tmp_path, BOARDS, score=SCORE)) as opened, following(opened):
        yield opened


async def standings(core: Core, board: str) -> list[Standing]:
    try:
        return list((await boards.top(core.commands.leaderboards, board, boards.CURRENT, 200, None)).page.standings)
    except BoardUnavailable:
        return []


async def shows(core: Core, board: str, expected: list[tuple[int, int, int]]) -> None:
    """Waits until the board shows rank, score and id of these."""

    async def is_so() -> bool:
        return [
            (standing.rank, standing.score, standing.player_id) for standing in await standings(core, board)
        ] == expected

    try:
        await wait_until(is_so, what=board)
    except AssertionError:
        shown = [(standing.rank, standing.score, standing.player_id) for standing in await standings(core, board)]
        raise AssertionError((board, shown, expected)) from None


def sorted_by(board: str, scores: dict[int, int]) -> list[tuple[int, int, int]]:
    """Rank, score and id of these, of different scores."""
    order = sorted(scores.items(), key=lambda entry: entry[1], reverse=board == "farthest")
    return [(rank, score, who) for rank, (who, score) in enumerate(order, 1)]


async def scores(core: Core, player: Player, **points: int) -> None:
    await act(core, player.id, "score", points=points)


async def test_points_are_summed_or_the_best_or_the_last_are_stored_as_the_board_says(core: Core) -> None:
    ann, bob, cy = await enlist_many(core, 3)
    for who, lap, jump, mood in [(ann, 31, 5, 1), (bob, 30, 7, 2), (ann, 29, 4, 3), (bob, 35, 8, -4), (cy, 30, 8, 3)]:
        await scores(core, who, lap=lap, jump=jump, mood=mood, kills=2)
    await shows(core, "fastest", [(1, 29, ann.id), (2, 30, bob.id), (3, 30, cy.id)])
    await shows(core, "farthest", [(1, 8, bob.id), (2, 8, cy.id), (3, 5, ann.id)])
    await shows(core, "mood", [(1, 3, ann.id), (1, 3, cy.id), (3, -4, bob.id)])
    await shows(core, "kills", [(1, 4, ann.id), (2, 4, bob.id), (3, 2, cy.id)])


async def test_several_scores_of_one_batch_count_as_if_they_had_come_one_by_one(core: Core) -> None:
    ann, bob = await enlist_many(core, 2)
    dice = random.Random(5)
    rolled = [(who, dice.randint(1, 99), dice.randint(1, 99)) for _ in range(40) for who in (ann, bob)]
    await asyncio.gather(*(scores(core, who, lap=lap, kills=kills, jump=lap) for who, lap, kills in rolled))
    laps = {who.id: [lap for player, lap, _ in rolled if player is who] for who in (ann, bob)}
    killed = {who.id: sum(kills for player, _, kills in rolled if player is who) for who in (ann, bob)}

    async def is_so() -> bool:
        return {standing.player_id: standing.score for standing in await standings(core, "kills")} == killed

    await wait_until(is_so, what="all kills are counted")
    for board, best in (("fastest", min), ("farthest", max)):
        await shows(core, board, sorted_by(board, {who: best(laps_of_player) for who, laps_of_player in laps.items()}))


async def test_a_retried_command_scores_once(core: Core) -> None:
    ann, key = await enlist(core), command_id()
    for _ in range(3):
        await act(core, ann.id, "score", key, points={"kills": 5})
    await shows(core, "kills", [(1, 5, ann.id)])


async def test_ties_are_ranked_as_the_board_says_on_pages_around_and_alone(core: Core) -> None:
    players = await enlist_many(core, 6)
    for who, kills in zip(players, (9, 7, 7, 7, 3, 3), strict=True):
        await scores(core, who, kills=kills)
    a, b, c, d, e, f = (player.id for player in players)
    await shows(core, "kills", [(1, 9, a), (2, 7, b), (3, 7, c), (4, 7, d), (5, 3, e), (6, 3, f)])
    await shows(core, "kills_dense", [(1, 9, a), (2, 7, b), (2, 7, c), (2, 7, d), (3, 3, e), (3, 3, f)])
    await shows(core, "kills_shared", [(1, 9, a), (2, 7, b), (2, 7, c)])

    async def ranks(board: str) -> list[int]:
        ranks = await boards.ranks(core.commands.leaderboards, board, boards.CURRENT, [a, b, c, d, e, f])
        return [standing.rank for standing in ranks.page.standings]

    assert await ranks("kills") == [1, 2, 3, 4, 5, 6]
    assert await ranks("kills_dense") == [1, 2, 2, 2, 3, 3]
    assert await ranks("kills_shared") == [1, 2, 2]
    near = await boards.around(core.commands.leaderboards, "kills_dense", boards.CURRENT, e, 2)
    assert [(standing.rank, standing.player_id) for standing in near.page.standings] == [(2, c), (2, d), (3, e), (3, f)]
    first = await boards.top(core.commands.leaderboards, "kills_dense", boards.CURRENT, 3, None)
    rest = await boards.top(core.commands.leaderboards, "kills_dense", boards.CURRENT, 3, first.page.after)
    assert [(standing.rank, standing.player_id) for standing in rest.page.standings] == [(2, d), (3, e), (3, f)]
    with pytest.raises(NotOnBoard):
        await boards.around(core.commands.leaderboards, "kills_shared", boards.CURRENT, e, 2)
    assert (await boards.ranks(core.commands.leaderboards, "kills_shared", boards.CURRENT, [a, d, 5])).missing == [d, 5]
    behind = (await boards.ranks(core.commands.leaderboards, "kills", boards.CURRENT, [a, c, f])).page
    assert [(standing.behind, behind.total) for standing in behind.standings] == [(5, 6), (2, 6), (0, 6)]


async def test_dense_ranks_stay_right_while_scores_are_left_by_their_last_player(core: Core) -> None:
    players = await enlist_many(core, 5)
    dice, total = random.Random(11), dict.fromkeys([player.id for player in players], 0)
    for _ in range(60):
        who, amount = dice.choice(players), dice.randint(-2, 2)
        total[who.id] += amount
        await scores(core, who, kills=amount)

    async def is_so() -> bool:
        levels = sorted(set(total.values()), reverse=True)
        shown = {
            standing.player_id: (standing.rank, standing.score) for standing in await standings(core, "kills_dense")
        }
        return shown == {who: (levels.index(score) + 1, score) for who, score in total.items()}

    await wait_until(is_so, what="dense ranks")


async def test_points_count_on_a_class_board_when_they_are_scored_in_the_class(core: Core) -> None:
    ann = await enlist(core, "mage", exp=300)
    await scores(core, ann, kills=3)
    await act(core, ann.id, "change_class", **{"class": "priest"})
    await scores(core, ann, kills=4)
    await shows(core, "kills", [(1, 7, ann.id)])
    await shows(core, "mage_kills", [(1, 3, ann.id)])


async def test_whoever_reached_a_level_first_stands_first_however_much_exp_the_others_have(core: Core) -> None:
    ann, bob, cy = await enlist_many(core, 3)
    await act(core, ann.id, "score", exp=50)
    await act(core, bob.id, "score", exp=60)
    await act(core, ann.id, "score", exp=20)
    await act(core, cy.id, "score", exp=200)
    await shows(core, "level", [(1, 3, cy.id), (2, 2, ann.id), (3, 2, bob.id)])
    await shows(core, "veterans", [(1, 200, cy.id)])


async def test_sums_stop_at_53_bits(core: Core) -> None:
    ann, bob = await enlist_many(core, 2)
    for _ in range(3):
        await scores(core, ann, kills=LARGEST_SCORE)
        await scores(core, bob, kills=-LARGEST_SCORE)
    await shows(core, "kills", [(1, LARGEST_SCORE, ann.id), (2, -LARGEST_SCORE, bob.id)])


async def test_actions_that_score_nothing_write_no_scores(core: Core) -> None:
    ann = await enlist(core)
    for _ in range(3):
        await act(core, ann.id, "score", points={"unheard_of": 3}, exp=7)
    for database in core.slots.databases("players"):
        async with connected(database.url) as connection:
            assert await connection.fetchval("select count(*) from scores") == 0


async def test_a_board_that_is_defined_anew_is_served_as_it_was_until_it_has_been_rebuilt(
    settings: Settings, tmp_path: Path
) -> None:
    old = with_actions(settings, tmp_path, "[boards.top]\nscore = 'exp'\nties = 'dense'\n")
    async with working(old) as core, following(core):
        players = [await enlist(core, exp=exp) for exp in (9, 5, 5, 1)]
        ids = [player.id for player in players]
        await shows(core, "top", list(zip((1, 2, 2, 3), (9, 5, 5, 1), ids, strict=True)))
        (tmp_path / "new").mkdir()
        changed = "[boards.top]\nscore = 'exp'\norder = 'asc'\nties = 'competition'\n"
        async with working(with_actions(settings, tmp_path / "new", changed)) as new:
            seen: list[Any] = [await weekly_standings(new)]
            assert seen[0] == list(zip((1, 2, 2, 3), (9, 5, 5, 1), ids, strict=True))
    async with working(with_actions(settings, tmp_path / "new", changed)) as new, following(new):
        want = [(1, 1, ids[3]), (2, 5, ids[1]), (2, 5, ids[2]), (4, 9, ids[0])]

        async def is_rebuilt() -> bool:
            if (now := await weekly_standings(new)) != seen[-1]:
                seen.append(now)
            return bool(seen[-1] == want)

        await wait_until(is_rebuilt, what="the board of the new definition")
        assert len(seen) == 2


async def weekly_standings(core: Core) -> list[tuple[int, int, int]]:
    page = (await boards.top(core.commands.leaderboards, "top", boards.CURRENT, 200, None)).page
    return [(standing.rank, standing.score, standing.player_id) for standing in page.standings]
