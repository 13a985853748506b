"""Seasons end by the ledger's time on two databases, with writes in flight and kills at every step."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from gameserver.app import Core, postman_of
from gameserver.commands import boards, moderation, seasons
from gameserver.config.settings import Settings
from gameserver.rules.errors import BoardNotFound, GameError, NotOnBoard, SeasonNotFound
from gameserver.rules.player import Player
from gameserver.rules.seasons import Season
from gameserver.storage.accounts.bans import BanChange
from gameserver.storage.ids import slot_of
from gameserver.storage.seasons.records import SeasonRecords
from gameserver.upkeep import closing
from gameserver.upkeep.closing import Closing
from gameserver.upkeep.postman import Postman
from tests.support.client import command_id
from tests.support.deployment import act, connected, enlist_many, following, ledger, move_slot, with_actions, working
from tests.support.wait import wait_until

BOARDS = """
[boards.weekly]
score = "points:kills"
season = { cron = "0 0 * * 1", zone = "Asia/Seoul" }
rewards = [{ first = 1, last = 1, exp = 100, text = "First" }, { first = 2, last = 3, exp = 10 }]
[boards.kills]
score = "points:kills"
"""
SECONDS = 2


@pytest.fixture
def changed(settings: Settings, tmp_path: Path) -> Settings:
    return with_actions(settings, tmp_path, BOARDS, score="tests.storage.seasons.scoring_actions:score")


@pytest.fixture
async def core(changed: Settings) -> AsyncIterator[Core]:
    async with working(changed) as opened, following(opened):
        yield opened


async def begin(core: Core, count: int) -> list[Season]:
    """So many seasons of a few seconds each, the first of which has just begun; they are known to all nodes."""
    start = int(time.time())
    begun = [Season(start + number * SECONDS, start + (number + 1) * SECONDS) for number in range(count)]
    for season in begun:
        await core.rooms.seasons.records.begin(core.rooms.seasons.calendar.board("weekly"), season)
    await seasons.learn(core.commands.seasons)
    return begun


def postman(core: Core) -> Postman:
    return postman_of(core)


async def attend(core: Core) -> None:
    with suppress(GameError):
        await closing.attend(Closing(core.commands.seasons, core.rooms.boards.lifecycle, postman(core)))


async def until_closed(core: Core, season: Season) -> None:
    async def is_closed() -> bool:
        await attend(core)
        records = await core.rooms.seasons.records.all()
        return ("weekly", season, "closed") in [(record.board, record.season, record.state) for record in records]

    await wait_until(is_closed, 20, "the season is closed")


async def scored(core: Core) -> dict[int, dict[int, list[int]]]:
    """By season and player: every score, as the ledgers' times have it, with the scores' own rows beside them."""
    scores: dict[int, dict[int, list[int]]] = {}
    for database in core.slots.databases("players"):
        async with connected(database.url) as connection:
            for row in await connection.fetch("select * from scores where board = 'weekly'"):
                scores.setdefault(row["season"], {})[row["player_id"]] = [row["score"]]
    return scores


async def by_ledger(core: Core, players: list[Player], begun: list[Season]) -> dict[int, dict[int, int]]:
    """What each season's scores are by the ledger alone: a season has what was scored from its start to its end."""
    sums: dict[int, dict[int, int]] = {}
    for player in players:
        for row in await ledger(core, player.id):
            if row["action"] == "score":
                at = row["at"].timestamp()
                season = next((season.start for season in begun if season.start <= at < season.end), begun[-1].end)
                sums_by_player = sums.setdefault(season, {})
                sums_by_player[player.id] = sums_by_player.get(player.id, 0) + 1
    return sums


async def play(core: Core, players: list[Player], until: float) -> None:
    async def one(player: Player) -> None:
        while time.time() < until:
            with suppress(GameError):
                await act(core, player.id, "score", points={"kills": 1})

    await asyncio.gather(*map(one, players))


async def standings(core: Core, season: Season) -> list[tuple[int, int, int]]:
    name = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(season.start))
    page = (await boards.top(core.commands.leaderboards, "weekly", name, 200, None)).page
    return [(standing.rank, standing.score, standing.player_id) for standing in page.standings]


async def rewards(core: Core, player: Player) -> list[Any]:
    return [row for row in await ledger(core, player.id) if row["action"] == "mail:rewarded"]


def interrupted(core: Core, monkeypatch: pytest.MonkeyPatch, dice: random.Random) -> None:
    """A third of the calls of a closing's steps die before they have done anything, and a third after they have."""
    for owner, name in (
        (core.rooms.seasons.end, "fence"),
        (core.rooms.seasons.records, "step"),
        (core.rooms.seasons.records, "store"),
        (core.rooms.seasons.records, "due_rewards"),
        (core.rooms.seasons.records, "settle"),
    ):
        whole = getattr(type(owner), name)

        async def broken(self: Any, *args: Any, whole: Any = whole) -> Any:
            fate = dice.randrange(3)
            if fate == 0:
                raise GameError("killed before a step")
            done = await whole(self, *args)
            if fate == 1:
                raise GameError("killed after a step")
            return done

        monkeypatch.setattr(type(owner), name, broken)


async def test_three_boundaries_are_crossed_exactly_with_writes_in_flight_and_kills_between_all_steps(
    core: Core, second: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    players = await enlist_many(core, 10)
    begun = await begin(core, 3)
    await seasons.learn(second.commands.seasons)
    interrupted(core, monkeypatch, random.Random(1))
    playing = asyncio.create_task(play(core, players, begun[-1].end + 0.5))
    for season in begun:
        await wait_until(lambda season=season: time.time() >= season.end, 10, "the season is over")
        both = asyncio.gather(until_closed(core, season), until_closed(second, season))
        await both
    await playing
    expected = await by_ledger(core, players, begun)
    rows = await scored(core)
    for season in begun:
        assert {who: [score] for who, score in expected[season.start].items()} == rows[season.start]
        standing = await standings(core, season)
        assert {who: score for _, score, who in standing} == expected[season.start]
        assert [score for _, score, _ in standing] == sorted((score for _, score, _ in standing), reverse=True)
    ended = [await standings(core, season) for season in begun]
    total = {player.id: sum(expected[start].get(player.id, 0) for start in expected) for player in players}
    for player in players:
        ranks = [rank for standing in ended for rank, _, who in standing if who == player.id]
        reward = sum({1: 100, 2: 10, 3: 10}.get(rank, 0) for rank in ranks)
        assert len(await rewards(core, player)) == len([rank for rank in ranks if rank <= 3])
        assert (await core.rooms.players.read([player.id]))[player.id].exp == reward
    page = (await boards.top(core.commands.leaderboards, "kills", boards.CURRENT, 200, None)).page
    assert {standing.player_id: standing.score for standing in page.standings} == total


@pytest.fixture
async def second(changed: Settings) -> AsyncIterator[Core]:
    async with working(changed) as opened:
        yield opened


async def test_a_write_after_the_fence_scores_in_the_next_season_whatever_its_clock_says(core: Core) -> None:
    """Also when its slot has been moved meanwhile: the floor moves with it."""
    (ann,) = await enlist_many(core, 1, "one")
    (season,) = await begin(core, 1)
    await act(core, ann.id, "score", points={"kills": 3})
    await wait_until(lambda: time.time() >= season.end, 10, "the season is over")
    assert await core.rooms.seasons.end.fence("weekly", season.end)
    core.rooms.seasons.calendar.learn("weekly", [Season(season.start, season.end + 1000)], [season.start])
    await act(core, ann.id, "score", points={"kills": 4})
    await move_slot(core, slot_of(ann.id), "two")
    await act(core, ann.id, "score", points={"kills": 5})
    assert await scored(core) == {season.start: {ann.id: [3]}, season.end: {ann.id: [9]}}


async def test_no_fence_is_put_up_before_the_season_is_over_by_the_databases_clock(core: Core) -> None:
    end = int(time.time()) + 1000
    assert not await core.rooms.seasons.end.fence("weekly", end)
    for database in core.slots.databases("players"):
        async with connected(database.url) as connection:
            assert await connection.fetchval("select count(*) from season_floors") == 0


async def test_a_season_that_is_over_is_read_as_it_ended_without_banned_players(core: Core) -> None:
    players = await enlist_many(core, 5)
    (season,) = await begin(core, 1)
    for number, player in enumerate(players):
        await act(core, player.id, "score", points={"kills": 9 - number})
    await wait_until(lambda: time.time() >= season.end, 10, "the season is over")
    await until_closed(core, season)
    a, b, c, d, e = (player.id for player in players)
    assert await standings(core, season) == [(1, 9, a), (2, 8, b), (3, 7, c), (4, 6, d), (5, 5, e)]
    await moderation.change_ban(core.commands.operations, "a test", BanChange(command_id(), b, True, "a test"))
    assert await standings(core, season) == [(1, 9, a), (2, 7, c), (3, 6, d), (4, 5, e)]
    previous = boards.PREVIOUS
    near = (await boards.around(core.commands.leaderboards, "weekly", previous, c, 1)).page
    assert ([standing.player_id for standing in near.standings], near.total) == ([a, c, d], 4)
    first = (await boards.top(core.commands.leaderboards, "weekly", previous, 2, None)).page
    rest = (await boards.top(core.commands.leaderboards, "weekly", previous, 2, first.after)).page
    assert [standing.player_id for standing in [*first.standings, *rest.standings]] == [a, c, d, e]
    assert rest.after is None
    ranks = await boards.ranks(core.commands.leaderboards, "weekly", previous, [d, b, 7])
    assert ([standing.rank for standing in ranks.page.standings], ranks.missing) == ([3], [b, 7])
    with pytest.raises(NotOnBoard):
        await boards.around(core.commands.leaderboards, "weekly", previous, b, 1)
    with pytest.raises(SeasonNotFound):
        await boards.top(core.commands.leaderboards, "kills", previous, 2, None)
    await moderation.change_ban(core.commands.operations, "a test", BanChange(command_id(), b, False, "a test"))
    assert (await standings(core, season))[1] == (2, 8, b)


async def test_a_season_ends_early_when_an_operator_says_so_and_the_next_one_begins(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seasons, "CLOSE_SECONDS", 1)
    (ann,) = await enlist_many(core, 1)
    await attend(core)
    await act(core, ann.id, "score", points={"kills": 3})
    preview = await seasons.preview(core.commands.seasons, "weekly", 10)
    assert preview.entries == [(1, 3, ann.id, ann.name, {"exp": 100, "text": "First"})]
    record = await seasons.close_now(core.commands.seasons, "a test", "weekly", "a test")
    (now,) = [record for record in await core.rooms.seasons.records.all() if record.board == "weekly"]
    await until_closed(core, now.season)
    assert record.season.start == now.season.start
    await act(core, ann.id, "score", points={"kills": 4})
    assert (await scored(core))[now.season.end] == {ann.id: [4]}
    assert len(await rewards(core, ann)) == 1


async def test_what_was_noted_of_a_season_holds_whatever_the_configuration_says_since(core: Core) -> None:
    records: SeasonRecords = core.rooms.seasons.records
    (season,) = await begin(core, 1)
    await records.begin(core.rooms.seasons.calendar.board("weekly"), Season(season.start, season.end + 77))
    assert [record.season for record in await records.all() if record.board == "weekly"] == [season]


async def test_the_season_of_a_board_that_the_game_no_longer_has_is_closed_and_paid(
    core: Core, settings: Settings
) -> None:
    ann, bob = await enlist_many(core, 2)
    (season,) = await begin(core, 1)
    for who, kills in ((ann, 2), (bob, 3)):
        await act(core, who.id, "score", points={"kills": kills})
    async with working(settings) as without:
        assert "weekly" not in [board.name for board in without.rooms.seasons.calendar.boards()]
        await until_closed(without, season)
        assert len(await rewards(without, bob)) == len(await rewards(without, ann)) == 1
        assert (await without.rooms.players.read([bob.id]))[bob.id].exp == 100
        assert (await without.rooms.players.read([ann.id]))[ann.id].exp == 10


async def test_operators_can_preview_and_close_a_season_of_a_board_that_the_game_no_longer_has(
    core: Core, settings: Settings
) -> None:
    (ann,) = await enlist_many(core, 1)
    board = core.rooms.seasons.calendar.board("weekly")
    season = Season(int(time.time()), int(time.time()) + 3600)
    await core.rooms.seasons.records.begin(board, season)
    await seasons.learn(core.commands.seasons)
    await act(core, ann.id, "score", points={"kills": 2})
    async with working(settings) as without:
        preview = await seasons.preview(without.commands.seasons, "weekly", 5)
        assert [(rank, score, who) for rank, score, who, _, _ in preview.entries] == [(1, 2, ann.id)]
        assert preview.entries[0][4] == {"exp": 100, "text": "First"}
        await seasons.close_now(without.commands.seasons, "tests", "weekly", "Tests.")
        ended = [record.season.end for record in await without.rooms.seasons.records.all()]
        assert max(ended) <= time.time() + seasons.CLOSE_SECONDS + 1
        with pytest.raises(BoardNotFound):
            await seasons.close_now(without.commands.seasons, "tests", "unheard_of", "Tests.")


async def test_a_season_from_before_definitions_were_stored_gets_one_while_the_game_has_the_board(core: Core) -> None:
    (season,) = await begin(core, 1)
    async with connected(core.databases["one"].url) as connection:
        await connection.execute("update seasons set definition = null")
    await attend(core)
    (record,) = [record for record in await core.rooms.seasons.records.all() if record.season == season]
    assert record.stored_board() == core.rooms.seasons.calendar.board("weekly")
