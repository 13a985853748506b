"""Seasons when the control database or Redis was away, players are banned in the middle, and boards lose theirs."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from gameserver.app import Core, postman_of
from gameserver.commands import board_repair, boards, erasure, moderation, seasons
from gameserver.commands.results import ChangedBy
from gameserver.config.settings import Settings
from gameserver.rules.boards import Board, Reward, Ties
from gameserver.rules.errors import BadInput, BoardUnavailable, DatabaseUnavailable, PresenceUnavailable
from gameserver.rules.seasons import Season
from gameserver.storage.accounts.bans import BanChange
from gameserver.storage.boards.layout import Contest
from gameserver.storage.boards.lifecycle import BoardLifecycle
from gameserver.storage.ids import slot_of
from gameserver.storage.live.pushes import Seen
from gameserver.storage.postgres.sole_locks import fenced_alone
from gameserver.storage.seasons import end, records
from gameserver.storage.seasons.records import SeasonRecord, SeasonRecords
from gameserver.times import rfc3339_of_seconds
from gameserver.upkeep import closing
from gameserver.upkeep.closing import Closing
from gameserver.waiting import cancel_and_wait
from tests.storage.seasons.test_seasons import BOARDS, attend, rewards, standings, until_closed
from tests.support.client import command_id
from tests.support.deployment import (
    act,
    connected,
    enlist,
    enlist_many,
    following,
    ledger,
    owner,
    superuser,
    with_actions,
    working,
)
from tests.support.freezing import frozen
from tests.support.servers import Servers
from tests.support.standby import backend_in, missing_standby
from tests.support.wait import wait_until

WEEK = 7 * 86400


@pytest.fixture
async def core(settings: Settings, tmp_path: Path) -> AsyncIterator[Core]:
    changed = with_actions(settings, tmp_path, BOARDS, score="tests.storage.seasons.scoring_actions:score")
    async with working(changed) as opened, following(opened):
        yield opened


def this_week(core: Core) -> Season:
    season = core.rooms.seasons.calendar.season(weekly(core), datetime.now(UTC))
    assert season is not None
    return season


async def gives(core: Core, player_id: int, season: int, score: int) -> None:
    """A score of a season as play would have left it."""
    async with connected(core.databases[owner(core, player_id)].url) as connection:
        statement = "insert into scores values ($1, $2, 'weekly', $3, $4, now(), 1)"
        await connection.execute(statement, slot_of(player_id), player_id, season, score)


async def test_what_is_scored_for_all_time_stays_there_on_a_board_that_once_had_seasons(core: Core) -> None:
    ann = await enlist(core)
    for database in core.slots.databases("players"):
        async with connected(database.url) as connection:
            await connection.execute(
                "insert into season_floors select slot, 'kills', 1700000000 from players_owned_slots"
            )
    await act(core, ann.id, "score", points={"kills": 3})
    async with connected(core.databases[owner(core, ann.id)].url) as connection:
        assert await connection.fetchval("select season from scores where board = 'kills'") == 0


async def test_seasons_that_no_node_could_record_are_counted_and_rewarded_later(core: Core) -> None:
    ann, now = await enlist(core), this_week(core)
    first = Season(now.start - 4 * WEEK, now.start - 3 * WEEK)
    await core.rooms.seasons.records.begin(weekly(core), first)
    missed = Season(now.start - 2 * WEEK, now.start - WEEK)
    await gives(core, ann.id, missed.start, 7)
    await until_closed(core, missed)
    begun = [record.season for record in await core.rooms.seasons.records.all() if record.board == "weekly"]
    assert begun == [Season(now.start + week * WEEK, now.start + (week + 1) * WEEK) for week in range(-4, 1)]
    assert await standings(core, missed) == [(1, 7, ann.id)]
    assert len(await rewards(core, ann)) == 1


async def test_more_seasons_than_are_noted_at_once_are_noted_without_a_gap(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closing, "CHUNK", 2)
    now = this_week(core)
    await core.rooms.seasons.records.begin(weekly(core), Season(now.start - 6 * WEEK, now.start - 5 * WEEK))
    for _ in range(3):
        await attend(core)
    begun = [record.season.start for record in await core.rooms.seasons.records.all() if record.board == "weekly"]
    assert begun == [now.start + week * WEEK for week in range(-6, 1)]


async def test_seasons_are_closed_while_redis_is_away(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    now = this_week(core)
    old, ended = Season(now.start - 2 * WEEK, now.start - WEEK), Season(now.start - WEEK, now.start)
    await core.rooms.seasons.records.begin(weekly(core), old)
    await core.rooms.seasons.records.step("weekly", old.start, "running", "closed")
    await core.rooms.seasons.records.begin(weekly(core), ended)

    async def away(*_: Any) -> None:
        raise BoardUnavailable

    monkeypatch.setattr(closing, "DROP_SECONDS", -10)
    monkeypatch.setattr(BoardLifecycle, "present", away)
    await until_closed(core, ended)


@pytest.mark.parametrize("state", ["counted", "closed"])
async def test_the_keys_of_a_season_that_was_counted_long_ago_while_redis_was_away_go_all_the_same(
    core: Core, state: str
) -> None:
    old = Season(this_week(core).start - WEEK, this_week(core).start)
    await core.rooms.seasons.records.begin(weekly(core), old)
    await core.rooms.seasons.records.step("weekly", old.start, "running", state)
    async with connected(core.databases[core.settings.control.database].url) as connection:
        changed = "update seasons set changed_at = now() - interval '2 hours' where start = $1"
        await connection.execute(changed, old.start)
    contest = Contest(weekly(core), old.start)
    await core.rooms.boards.lifecycle.rebuild(contest)
    assert await core.redis.commands.exists(contest.state)
    course = Closing(core.commands.seasons, core.rooms.boards.lifecycle, postman_of(core))
    await closing.attend(course)
    assert not await core.redis.commands.exists(contest.state)
    assert course.dropped == {("weekly", old.start)}


async def test_a_receipt_of_an_erasure_looks_at_boards_of_seasons_that_are_counted_and_not_dropped(core: Core) -> None:
    season, (ann,) = await ended_last_week(core, 9)
    await seasons.learn(core.commands.seasons)
    contest, counts = Contest(weekly(core), season.start), [0]

    async def is_there() -> bool:
        with suppress(BoardUnavailable):
            counts[0] = await erasure._places(core.commands.erasures, ann)
            return bool((await core.commands.leaderboards.standings.ranks(contest, [ann])).standings)
        return False

    await wait_until(is_there, what="the player is on all boards")
    await core.rooms.seasons.records.step("weekly", season.start, "running", "counted")
    await seasons.learn(core.commands.seasons)
    assert await erasure._places(core.commands.erasures, ann) == counts[0]
    await core.rooms.boards.lifecycle.drop(contest)
    assert await erasure._places(core.commands.erasures, ann) == counts[0] - 1


@pytest.mark.parametrize(
    "change",
    [
        "update seasons set state = 'closed' where state = 'running' and start > 9",
        "update seasons set state = 'counted' where start = 5",
        "update seasons set state = 'counted' where start = 5; update seasons set state = 'closed' where start = 9",
        'update seasons set "end" = 8 where start = 9',
        "delete from seasons where start = 5",
        "delete from seasons where start = 9",
        "insert into seasons select board, 3, 5, state, players, changed_at from seasons where start = 5",
    ],
)
async def test_closed_seasons_are_read_only_when_there_are_others(
    core: Core, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    store = SeasonRecords(core.databases[core.settings.control.database])
    for season, state in ((Season(5, 9), "closed"), (Season(9, 11), "running"), (Season(11, 13), "running")):
        await store.begin(weekly(core), season)
        await store.step("weekly", season.start, "running", state)
    read: list[str] = []
    rows_of = records._read

    async def noting(connection: Any, which: Any) -> list[SeasonRecord]:
        found = await rows_of(connection, which)
        read.extend(record.state for record in found)
        return found

    monkeypatch.setattr(records, "_read", noting)
    assert list(await store.known()) == await store.all()
    read.clear()
    await store.known()
    assert "closed" not in read
    async with connected(core.databases[core.settings.control.database].url) as connection:
        await connection.execute(change)
    assert list(await store.known()) == await store.all()


async def test_an_early_end_lies_ahead_so_that_every_node_hears_of_it(core: Core) -> None:
    await attend(core)
    before = int(core.commands.accounts.policy.now().timestamp())
    record = await seasons.close_now(core.commands.seasons, "a test", "weekly", "a test")
    ends = {season.season.start: season.season.end for season in await core.rooms.seasons.records.all()}
    assert ends[record.season.start] >= before + 3


async def test_a_season_that_ends_anyway_isnt_said_to_be_closed(core: Core) -> None:
    now = this_week(core)
    await core.rooms.seasons.records.begin(weekly(core), Season(now.start - WEEK, now.start))
    with pytest.raises(BadInput):
        await seasons.close_now(core.commands.seasons, "a test", "weekly", "It is over, and nobody has counted it.")
    await core.rooms.seasons.records.begin(weekly(core), now)
    await seasons.close_now(core.commands.seasons, "a test", "weekly", "a test")
    with pytest.raises(BadInput):
        await seasons.close_now(core.commands.seasons, "a test", "weekly", "It ends in five seconds.")
    async with connected(core.databases[core.settings.control.database].url) as connection:
        asked = "select e.ended from audit_ends e join audit a on a.id = e.entry where a.action = 'season_close'"
        ends = await connection.fetch(f"{asked} order by a.id")
    assert [end["ended"] for end in ends] == ["done", "bad_input"]


async def judge(core: Core, player_id: int, *, banned: bool = True) -> None:
    await moderation.change_ban(
        core.commands.operations, "a test", BanChange(command_id(), player_id, banned, "a test")
    )


async def exp(core: Core, player_id: int) -> int:
    return (await core.rooms.players.read([player_id]))[player_id].exp


async def ended_last_week(core: Core, *scores: int) -> tuple[Season, list[int]]:
    """Last week's season, with a player for each of the scores."""
    now = this_week(core)
    season = Season(now.start - WEEK, now.start)
    await core.rooms.seasons.records.begin(weekly(core), season)
    ids = [player.id for player in await enlist_many(core, len(scores))]
    for player_id, score in zip(ids, scores, strict=True):
        await gives(core, player_id, season.start, score)
    return season, ids


async def test_a_player_banned_when_a_season_is_counted_gets_its_place_back_later_and_no_reward(core: Core) -> None:
    season, (a, b, c, d) = await ended_last_week(core, 9, 8, 7, 6)
    await judge(core, a)
    await until_closed(core, season)
    assert await standings(core, season) == [(1, 8, b), (2, 7, c), (3, 6, d)]
    await judge(core, a, banned=False)
    assert await standings(core, season) == [(1, 9, a), (2, 8, b), (3, 7, c), (4, 6, d)]
    assert [await exp(core, player_id) for player_id in (a, b, c, d)] == [0, 100, 10, 10]
    rows = [row for player_id in (b, c, d) for row in await ledger(core, player_id)]
    letters = [row for row in rows if row["action"] == "mail:rewarded"]
    assert [orjson.loads(letter["args"])["rank"] for letter in letters] == [1, 2, 3]


async def test_who_is_banned_between_the_count_and_the_rewards_gets_none(core: Core) -> None:
    season, (a, b) = await ended_last_week(core, 9, 8)
    records, end = core.rooms.seasons.records, core.rooms.seasons.end
    await records.step("weekly", season.start, "running", "ended")
    await records.store(weekly(core), season.start, end.standings(weekly(core), season.start))
    await judge(core, a)
    await until_closed(core, season)
    assert [await exp(core, player_id) for player_id in (a, b)] == [0, 10]


@pytest.fixture
def fenced(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The fences that are taken for the ends of seasons."""
    taken: list[object] = []

    def noting(*what: Any) -> Any:
        taken.append(what)
        return fenced_alone(*what)

    monkeypatch.setattr(end, "fenced_alone", noting)
    return taken


@pytest.mark.parametrize(("silent", "other"), [("one", "two"), ("two", "one")])
async def test_a_silent_database_keeps_no_other_from_being_fenced(
    core: Core, servers: Servers, silent: str, other: str
) -> None:
    async with connected(core.databases[other].url) as connection:

        async def is_fenced() -> bool:
            return bool(await connection.fetchval("select count(*) from season_floors where season = 1"))

        with frozen(servers.postgres[silent]):
            fencing = asyncio.create_task(core.rooms.seasons.end.fence("weekly", 1))
            await wait_until(is_fenced, what="the other one is fenced")
            await cancel_and_wait([fencing])


async def test_floors_that_are_found_count_once_the_standby_has_them(core: Core, servers: Servers) -> None:
    assert await core.rooms.seasons.end.fence("weekly", 1)
    async with missing_standby(servers, core) as arrive, superuser(servers, core, "one") as probe:
        fencing = asyncio.create_task(core.rooms.seasons.end.fence("weekly", 1))
        await backend_in(probe, "SyncRep")
        assert not fencing.done()
        await arrive()
        assert await fencing


async def test_what_is_fenced_isnt_fenced_again_for_another_ones_sake(core: Core, fenced: list[object]) -> None:
    versions = "select array_agg(xmin::text order by slot) from season_floors"
    async with connected(core.databases["one"].url) as one, connected(core.databases["two"].url) as two:
        assert await core.rooms.seasons.end.fence("weekly", 2)
        await two.execute("delete from season_floors where slot = (select min(slot) from season_floors)")
        before = [await each.fetchval(versions) for each in (one, two)]
        fenced.clear()
        assert await core.rooms.seasons.end.fence("weekly", 1)
        assert len(fenced) == 1, "only where a floor was missing"
        after = [await each.fetchval(versions) for each in (one, two)]
        assert before[0] == after[0]
        assert after[1][1:] == before[1], "rows that say as much stay as they are"
        assert await two.fetchval("select array_agg(distinct season order by season) from season_floors") == [1, 2]


async def test_rewards_of_the_others_arrive_while_a_database_is_silent(
    core: Core, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closing, "CHUNK", 1)
    now = this_week(core)
    season = Season(now.start - WEEK, now.start)
    records, end = core.rooms.seasons.records, core.rooms.seasons.end
    await records.begin(weekly(core), season)
    first, second = [await enlist(core, database=database) for database in ("two", "one")]
    for player, score in ((first, 9), (second, 8)):
        await gives(core, player.id, season.start, score)
    await records.step("weekly", season.start, "running", "ended")
    await records.store(weekly(core), season.start, end.standings(weekly(core), season.start))

    async def has_arrived() -> bool:
        return bool(await rewards(core, second))

    with frozen(servers.postgres["two"]):
        attending = asyncio.create_task(attend(core))
        await wait_until(has_arrived, 20, "the second's reward arrives")
        await attending
    await until_closed(core, season)
    assert [await exp(core, player.id) for player in (first, second)] == [100, 10]


@pytest.mark.parametrize("error", [RuntimeError("a fault"), DatabaseUnavailable()])
async def test_a_season_that_cant_be_counted_holds_up_no_other(
    core: Core, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    season, _ = await ended_last_week(core, 9)
    records = core.rooms.seasons.records
    bad, store = Season(season.start - WEEK, season.start), records.store
    await records.begin(weekly(core), bad)

    async def fail(board: Board, start: int, rows: AsyncIterator[Any]) -> int:
        if start == bad.start:
            raise error
        return await store(board, start, rows)

    monkeypatch.setattr(records, "store", fail)
    await attend(core)
    states = {record.season.start: record.state for record in await records.all() if record.board == "weekly"}
    assert (states[bad.start], states[season.start]) == ("ended", "closed")


async def told_to(core: Core, stream: str) -> list[tuple[str, Any]]:
    """What a player was pushed that has been in this stream since before."""
    await core.rooms.live.pushes.load_notices()
    (opened,) = await core.rooms.live.pushes.catch_up([(7, Seen(stream, 0))])
    return [(push.kind, push.data) for push in opened.missed]


async def test_players_are_told_once_of_a_seasons_end_whatever_ends_the_nodes_that_close_it(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    season, _ = await ended_last_week(core, 9)
    stream = (await core.rooms.live.pushes.open(7, Seen())).stream
    records = core.rooms.seasons.records

    async def end(*_: object) -> int:
        raise DatabaseUnavailable("This node has ended.")

    # One ends behind the fence, and two before they have counted.
    await records.step("weekly", season.start, "running", "ended")
    assert await told_to(core, stream) == []
    with monkeypatch.context() as ending:
        ending.setattr(records, "store", end)
        for _ in range(2):
            await attend(core)
    await until_closed(core, season)
    names = (rfc3339_of_seconds(moment) for moment in (season.start, season.end))
    expected = dict(zip(("board", "season", "ended_at"), ("weekly", *names), strict=True))
    assert await told_to(core, stream) == [("season", expected)]


async def test_a_season_is_closed_while_redis_is_away_and_players_are_told_when_it_is_back(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    season, _ = await ended_last_week(core, 9)
    stream = (await core.rooms.live.pushes.open(7, Seen())).stream
    course = Closing(core.commands.seasons, core.rooms.boards.lifecycle, postman_of(core))

    async def fail(*_: object, **__: object) -> int:
        raise PresenceUnavailable("Redis is away.")

    with monkeypatch.context() as away:
        away.setattr(core.rooms.live.pushes, "add_notice", fail)
        await closing.attend(course)
    states = [record.state for record in await core.rooms.seasons.records.all() if record.season == season]
    assert (states, await told_to(core, stream)) == (["closed"], [])
    for _ in range(2):
        await closing.attend(course)
        assert [kind for kind, _ in await told_to(core, stream)] == ["season"]


async def test_who_is_banned_while_a_season_is_being_counted_is_hidden_once_it_is(core: Core) -> None:
    season, (a, b) = await ended_last_week(core, 9, 8)
    await counted_amid(core, season, lambda: core.rooms.seasons.records.hide(a, hidden=True))
    assert await standings(core, season) == [(1, 8, b)]


async def test_a_name_that_is_erased_while_a_season_is_being_counted_is_gone_once_it_is(core: Core) -> None:
    season, (a, b) = await ended_last_week(core, 9, 8)
    await counted_amid(core, season, lambda: core.rooms.seasons.records.forget_name(a))
    assert await core.rooms.seasons.records.names_of(a) == []
    assert len(await core.rooms.seasons.records.names_of(b)) == 1


async def counted_amid(core: Core, season: Season, change: Callable[[], Coroutine[Any, Any, object]]) -> None:
    """Counts a season, while the databases of players have been read and a change of what is stored is asked for."""
    await core.rooms.seasons.records.step("weekly", season.start, "running", "ended")
    control = core.databases[core.settings.control.database].url
    changing: list[asyncio.Task[object]] = []

    async def counted() -> AsyncIterator[list[Any]]:
        async with connected(control) as connection:

            async def is_past() -> bool:
                waits = await connection.fetchval("select exists (select from pg_locks where not granted)")
                return changing[0].done() or waits

            async for part in core.rooms.seasons.end.standings(weekly(core), season.start):
                changing.append(asyncio.create_task(change()))
                await wait_until(is_past, what="the change has passed the count, or waits for it")
                yield part

    await core.rooms.seasons.records.store(weekly(core), season.start, counted())
    await asyncio.gather(*changing)
    await seasons.learn(core.commands.seasons)


def weekly(core: Core) -> Board:
    return core.rooms.seasons.calendar.board("weekly")


async def test_a_season_that_is_over_is_neither_compared_nor_built_anew(core: Core) -> None:
    season, _ = await ended_last_week(core, 9)
    await until_closed(core, season)
    board = (core.commands.board_repair, "weekly", boards.PREVIOUS)
    for refused in (
        board_repair.rebuild(
            core.commands.board_repair, ChangedBy("a test", "a test", command_id()), "weekly", boards.PREVIOUS
        ),
        board_repair.check(*board, 10, repair=False),
        board_repair.check_all(*board, lambda _: None, repair=False),
    ):
        with pytest.raises(BadInput):
            await refused


async def test_the_banned_take_no_place_of_those_that_are_stored(core: Core) -> None:
    season, ids = await ended_last_week(core, 9, 8, 7, 6)
    await judge(core, ids[0])
    end, board = core.rooms.seasons.end, replace(weekly(core), size=2)
    counted = [row async for part in end.standings(board, season.start) for row in part]
    seen = (await end.preview(board, season.start, 2, asyncio.get_running_loop().time() + 60)).best
    for rows, expected in ((counted, ids[:3]), (seen, ids[1:3])):
        assert [row[4] for row in rows] == expected
        assert [row[3] for row in rows] == list(range(1, len(expected) + 1))


@pytest.mark.parametrize("ties", ["first", "competition", "dense"])
async def test_a_preview_says_how_many_are_rewarded_behind_what_it_shows(core: Core, ties: Ties) -> None:
    season, ids = await ended_last_week(core, 9, 8, 8, 7, 6)
    end, running = core.rooms.seasons.end, weekly(core)
    board = replace(running, ties=ties, rewards=(Reward(1, 1, exp=100), Reward(2, 3, exp=10)), size=0)
    rewarded = {"first": ids[:3], "competition": ids[:3], "dense": ids[:4]}[ties]
    deadline = asyncio.get_running_loop().time() + 60
    for limit in (1, 5):
        found = await end.preview(board, season.start, limit, deadline)
        assert [row[4] for row in found.best] == ids[:limit]
        assert (found.players, found.exp) == (len(rewarded), 100 + 10 * (len(rewarded) - 1))
    small = await end.preview(replace(board, size=2), season.start, 5, deadline)
    assert (len(small.best), small.players) == (2, 2), "no place behind the board's size is stored, nor rewarded"
