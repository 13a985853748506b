"""Standings of seasons that are over, for every rule of ties, after some of their players were banned."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from asyncpg import DivisionByZeroError

from gameserver.app import Core
from gameserver.commands import boards, seasons
from gameserver.config.settings import Settings
from gameserver.rules.boards import Board, Ties
from gameserver.rules.seasons import Season
from gameserver.storage.boards.layout import Contest
from gameserver.storage.postgres.database import Database
from gameserver.storage.seasons import hidden
from gameserver.storage.seasons.past import PastStandings
from gameserver.waiting import cancel_and_wait
from tests.support.deployment import connected, with_actions, working
from tests.support.wait import wait_until

SEASON = 'season = { cron = "0 0 * * 1" }\nscore = "points:kills"\n'
BOARDS = "".join(f'[boards.{ties}]\n{SEASON}ties = "{ties}"\n' for ties in ("first", "competition", "dense"))
SCORES = [9, 9, 8, 8, 8, 7, 6, 6, 5]
A, B, C, D, E, F, G, H, J = range(1, 10)
"""Player ids, in the order of their scores."""
RANKS = {
    "first": [1, 2, 3, 4, 5, 6, 7, 8, 9],
    "competition": [1, 1, 3, 3, 3, 6, 7, 7, 9],
    "dense": [1, 1, 2, 2, 2, 3, 4, 4, 5],
}


@pytest.fixture
async def core(settings: Settings, tmp_path: Path) -> AsyncIterator[Core]:
    async with working(
        with_actions(settings, tmp_path, BOARDS, score="tests.storage.seasons.scoring_actions:score")
    ) as opened:
        yield opened


async def stored(core: Core, board: Board) -> str:
    """A season of the scores, which has been counted; its name."""
    now = core.rooms.seasons.calendar.season(board, core.commands.accounts.policy.now())
    assert now is not None
    records, start = core.rooms.seasons.records, now.start - 604_800
    await records.begin(board, Season(start, now.start))
    await records.step(board.name, start, "running", "ended")

    async def rows() -> AsyncIterator[list[tuple[object, ...]]]:
        yield [
            (
                board.name,
                start,
                who,
                rank,
                who,
                score,
                core.commands.accounts.policy.now(),
                f"P {who}",
                "mage",
                1,
                None,
                False,
            )
            for who, (rank, score) in enumerate(zip(RANKS[board.ties], SCORES, strict=True), 1)
        ]

    await records.store(board, start, rows())
    await seasons.learn(core.commands.seasons)
    return boards.PREVIOUS


@pytest.mark.parametrize("ties", RANKS)
async def test_players_behind_banned_ones_move_up_by_the_ranks_that_no_shown_player_has(core: Core, ties: str) -> None:
    season = await stored(core, core.rooms.seasons.calendar.board(ties))
    for banned, expected in [
        ([A], {"first": [1, 2, 3, 4, 5, 6, 7, 8], "competition": [1, 2, 2, 2, 5, 6, 6, 8],
               "dense": [1, 2, 2, 2, 3, 4, 4, 5]}),
        ([A, C, D], {"first": [1, 2, 3, 4, 5, 6], "competition": [1, 2, 3, 4, 4, 6], "dense": [1, 2, 3, 4, 4, 5]}),
        ([A, B, D, F, H], {"first": [1, 2, 3, 4], "competition": [1, 1, 3, 4], "dense": [1, 1, 2, 3]}),
        ([A, B, C, D, E, F, J], {"first": [1, 2], "competition": [1, 1], "dense": [1, 1]}),
    ]:  # fmt: skip
        for who in range(A, J + 1):
            await core.rooms.seasons.records.hide(who, hidden=who in banned)
        page = (await boards.top(core.commands.leaderboards, ties, season, 20, None)).page
        assert [each.rank for each in page.standings] == expected[ties]
        there = [each.player_id for each in page.standings]
        ranks = (await boards.ranks(core.commands.leaderboards, ties, season, there)).page
        around = (await boards.around(core.commands.leaderboards, ties, season, there[1], 20)).page
        assert [each.rank for each in ranks.standings] == [each.rank for each in around.standings] == expected[ties]


async def test_a_page_goes_on_behind_a_player_that_was_banned_since(core: Core) -> None:
    season = await stored(core, core.rooms.seasons.calendar.board("first"))
    first = (await boards.top(core.commands.leaderboards, "first", season, 3, None)).page
    await core.rooms.seasons.records.hide(C, hidden=True)
    rest = (await boards.top(core.commands.leaderboards, "first", season, 3, first.after)).page
    assert [(each.rank, each.player_id) for each in rest.standings] == [(3, D), (4, E), (5, F)]


@pytest.mark.parametrize("ties", RANKS)
async def test_past_standings_are_ranked_by_the_ties_by_which_they_were_counted(core: Core, ties: str) -> None:
    board = core.rooms.seasons.calendar.board(ties)
    await stored(core, board)
    await core.rooms.seasons.records.hide(A, hidden=True)
    contest = boards.contest(core.commands.leaderboards, ties, boards.PREVIOUS)
    expected = (await core.rooms.seasons.past.top(contest, 20, None)).standings
    others: list[Ties] = ["first", "competition", "dense"]
    for other in others:
        changed = Contest(replace(board, ties=other), contest.season)
        assert (await PastStandings(control(core)).top(changed, 20, None)).standings == expected


async def test_hidden_players_are_read_once_until_some_are_hidden_or_shown_again(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stored(core, core.rooms.seasons.calendar.board("dense"))
    records, past = core.rooms.seasons.records, core.rooms.seasons.past
    contest = boards.contest(core.commands.leaderboards, "dense", boards.PREVIOUS)
    await records.hide(A, hidden=True)
    page = await past.top(contest, 20, None)
    for name in ("hidden", "emptied"):
        monkeypatch.setitem(hidden.SQL, name, "select 1 / 0, $1::text, $2::bigint")
    assert (await past.top(contest, 20, None)).standings == page.standings
    assert [each.behind for each in (await past.ranks(contest, [B, F, J])).standings] == [7, 3, 0]
    await records.hide(A, hidden=True)
    assert (await past.around(contest, B, 20)).total == 8
    await records.hide(A, hidden=False)
    with pytest.raises(DivisionByZeroError):
        await past.top(contest, 20, None)


async def test_who_waits_for_the_hidden_players_of_a_season_holds_up_no_other_one(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    past, contests = core.rooms.seasons.past, {}
    for name in ("first", "dense"):
        await stored(core, core.rooms.seasons.calendar.board(name))
        contests[name] = boards.contest(core.commands.leaderboards, name, boards.PREVIOUS)
    expected = await past.top(contests["first"], 20, None)
    locked = "(case $1::text when 'first' then pg_advisory_xact_lock(7 + 0 * $2::bigint) end)::text"
    monkeypatch.setitem(
        hidden.SQL, "hidden", f"select '{{}}'::bigint[], '{{}}'::bigint[] where {locked} is distinct from '-'"
    )
    past = PastStandings(control(core))
    async with connected(control(core).url) as connection, connection.transaction():
        await connection.execute("select pg_advisory_xact_lock(7)")
        waiting = [asyncio.create_task(past.top(contests["first"], 20, None)) for _ in range(4)]
        try:
            await wait_until(
                lambda: connection.fetchval("select exists (select from pg_locks where not granted)"), what="it is read"
            )
            async with asyncio.timeout(3):
                assert len((await past.top(contests["dense"], 20, None)).standings) == len(SCORES)
        except BaseException:
            await cancel_and_wait(waiting)
            raise
    assert [page.standings for page in await asyncio.gather(*waiting)] == [expected.standings] * 4


def control(core: Core) -> Database:
    return core.databases[core.settings.control.database]
