"""Each board, and the announcements, go on from a checkpoint of their own, which never goes back."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from gameserver.app import Core
from gameserver.rules.editions import ALWAYS, Edition
from gameserver.storage.boards import ledger_reader, turns
from gameserver.storage.boards.ages import BoardsAge
from gameserver.storage.boards.follower import FollowedBoards, Follower
from gameserver.storage.boards.layout import Contest
from gameserver.storage.boards.marks import FollowerMarks
from gameserver.storage.boards.turns import Position, parted, together
from gameserver.storage.boards.writer import BoardWriter
from gameserver.storage.ledger.snapshot import Checkpoint, Snapshot, Source
from gameserver.storage.live.presence import CHANGED
from gameserver.storage.postgres.locks import FOLLOWING
from gameserver.telemetry import FOLLOWER_AGE
from gameserver.waiting import cancel_and_wait
from tests.storage.boards.test_follower import agrees, assert_agrees_soon, play
from tests.support.deployment import act, connected, enlist, enlist_many, following, names_of, working
from tests.support.servers import Servers, running_servers
from tests.support.wait import wait_until

SOURCE = Source("system", "timeline", "session")


def at(xmax: int, *running: int) -> Position:
    return Position(Checkpoint(SOURCE, Snapshot(xmax, running), 1))


def test_what_lags_far_is_read_apart_from_what_is_near() -> None:
    near, nearly, far = at(10_000), at(10_000 - turns.FAR), at(9_999 - turns.FAR)
    assert parted([near, far, nearly]) == ([near, nearly], [far])
    assert parted([]) == ([], [])


def test_a_board_that_lacks_what_another_one_has_isnt_completed_by_reading_on_from_there() -> None:
    """The transaction 50 was running when the first was read, and had ended when the second was."""
    lacks, has, ahead = at(100, 50), at(80), at(120)
    assert together([lacks, has, ahead]) == (has.checkpoint, [has, ahead])
    assert together([lacks, ahead]) == (lacks.checkpoint, [lacks, ahead])


def seen_at(moment: int, ends: Sequence[int]) -> Snapshot:
    """Transaction n + 1 begins at the moment n, and ends at the n-th of these."""
    begun = min(moment, len(ends))
    return Snapshot(begun + 1, tuple(txid for txid in range(1, begun + 1) if ends[txid - 1] > moment))


def claimed(snapshot: Snapshot) -> set[int]:
    """The transactions that had ended."""
    return set(range(1, snapshot.xmax)) - set(snapshot.running)


@settings(max_examples=300)
@given(
    lasting=st.lists(st.integers(1, 12), min_size=8, max_size=20),
    loads=st.lists(st.tuples(st.integers(0, 20), st.integers(0, 6)), min_size=1, max_size=3),
    reads=st.lists(st.tuples(st.integers(1, 30), st.integers(1, 6)), max_size=10),
)
def test_no_board_claims_what_it_never_got(
    lasting: list[int], loads: list[tuple[int, int]], reads: list[tuple[int, int]]
) -> None:
    """Boards that were loaded as of different moments, which end during the reads; these may be cut short."""
    ends = [number + 1 + long for number, long in enumerate(lasting)]
    first = seen_at(0, ends)
    boards = [(first, claimed(first))]
    for number, (moment, span) in enumerate(sorted(reads)):
        loaded = [seen_at(min(began, moment), ends) for began, ended in loads if ended == number]
        boards += [(snapshot, claimed(snapshot)) for snapshot in loaded]
        since, group = together([Position(Checkpoint(SOURCE, snapshot, 1)) for snapshot, _ in boards])
        last, now, at_once = since.snapshot, seen_at(moment, ends), [each.checkpoint.snapshot for each in group]
        until = last.xmax + span
        new = {txid for txid in claimed(now) if txid < until and (txid >= last.xmax or txid in last.running)}
        reached = now.until(until)
        boards = [
            (reached if reached.covers(snapshot) else snapshot, got | new) if snapshot in at_once else (snapshot, got)
            for snapshot, got in boards
        ]
        assert all(claimed(snapshot) <= got for snapshot, got in boards)


@asynccontextmanager
async def following_these(core: Core, contests: list[Contest]) -> AsyncIterator[list[Follower]]:
    """A node's followers, for boards that may change."""
    boards = FollowedBoards(lambda: contests, lambda: names_of(core), core.rules)
    writer, presence = BoardWriter(core.redis.following), core.rooms.live.presence
    followers = [Follower(database, writer, presence, boards) for database in core.slots.databases("players")]
    tasks = [asyncio.create_task(follower.run()) for follower in followers]
    yield followers
    await cancel_and_wait(tasks)


def contests_of(core: Core) -> list[Contest]:
    return core.rooms.seasons.calendar.contests(core.commands.accounts.policy.now())


async def reached(core: Core, contest: Contest) -> int:
    """How far a board has been followed on the first database."""
    live: Any = await core.redis.commands.hget(contest.state, "live")
    text: Any = await core.redis.commands.hget(contest.key(live.decode(), "checkpoints"), "one")
    return Checkpoint.load(text.decode()).snapshot.xmax


async def test_a_board_that_comes_back_is_caught_up_and_takes_no_other_one_back(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "FAR", 40)
    monkeypatch.setattr(ledger_reader, "TRANSACTIONS", 20)
    contests = contests_of(core)
    exp, mage = (next(each for each in contests if each.board.name == name) for name in ("exp", "mage"))
    players = await enlist_many(core, 6, "one")
    async with following_these(core, contests):
        await assert_agrees_soon(core)
        contests.remove(mage)
        await asyncio.sleep(1)
        await play(core, players)
        async with connected(core.databases["one"].url) as connection:
            for _ in range(1500):
                last: int = await connection.fetchval("select pg_current_xact_id()::text::bigint")

        async def is_passed() -> bool:
            return await reached(core, exp) > last

        await wait_until(is_passed, what="the board that stayed has been followed")
        left = await reached(core, mage)
        assert left < last - 1000
        contests.append(mage)
        seen = [await reached(core, exp)]

        async def is_caught_up() -> bool:
            seen.append(await reached(core, exp))
            return await reached(core, mage) > last

        await wait_until(is_caught_up, what="the board that came back has been caught up")
        assert all(earlier <= later for earlier, later in pairwise(seen)), seen
        await assert_agrees_soon(core)


async def test_the_connected_hear_of_their_changes_where_there_is_no_board(core: Core) -> None:
    """Also of those from between two followers."""
    player, presence = await enlist(core), core.rooms.live.presence
    assert await presence.join(player.id)
    beating = asyncio.create_task(presence.beat(lambda: {player.id}, lambda: 1))
    heard: dict[int, int] = {}

    async def listen() -> None:
        async for message in presence.hear():
            if message is not None and message.kind == CHANGED:
                heard.update(message.numbers)

    listening = asyncio.create_task(listen())

    async def has_heard(version: int) -> bool:
        return heard.get(player.id, 0) >= version

    async with following_these(core, []):
        await wait_until(lambda: is_marked(core), what="the followers have begun")
        changed = (await act(core, player.id, "hunt")).player
        await wait_until(lambda: has_heard(changed.version), what="the change is heard of")
        await asyncio.sleep(1.2)
    missed = (await act(core, player.id, "revive" if changed.hp == 0 else "hunt")).player
    async with following_these(core, []):
        await wait_until(lambda: has_heard(missed.version), what="the change from in between is heard of")
    await cancel_and_wait([beating, listening])


async def is_marked(core: Core) -> bool:
    return len(await core.redis.commands.keys("gs:{followed}:*")) == len(names_of(core))


HOLDERS = f"""select pid from pg_locks where locktype = 'advisory' and objid = {FOLLOWING} and granted
and database = (select oid from pg_database where datname = current_database())"""


async def test_a_node_without_the_rules_in_force_leaves_the_database_to_one_that_has_them(core: Core) -> None:
    contests = contests_of(core)
    async with following_these(core, contests), connected(core.databases["one"].url) as connection:

        async def is_followed() -> bool:
            return bool(await connection.fetch(HOLDERS))

        async def is_left() -> bool:
            return not await is_followed()

        await wait_until(is_followed, what="the database is followed")
        await connection.execute("insert into players_editions values (7, clock_timestamp(), 'ordered', 1)")
        await wait_until(is_left, what="the node has left it")
        core.rules.load(Edition(7, ALWAYS, core.rulebook))
        await wait_until(is_followed, what="the node has the rules, and follows again")


def test_a_database_that_is_left_has_no_age_any_more() -> None:
    marks = FollowerMarks(Redis())
    first, second = BoardsAge("left", marks), BoardsAge("left", marks)
    second.current -= 60

    def shown() -> list[float]:
        (metric,) = FOLLOWER_AGE.collect()
        return [sample.value for sample in metric.samples if sample.labels["database"] == "left"]

    first.show()
    second.show()
    assert 59 < shown()[0] < 70
    second.hide()
    assert shown()[0] < 10
    first.hide()
    assert shown() == []


@pytest.fixture
async def full() -> AsyncIterator[tuple[Servers, Core, Core]]:
    """Two nodes on servers of their own, whose Redis may be full."""
    async with running_servers() as own:
        settings = own.settings(await own.fresh())
        async with working(settings) as core, working(settings) as second:
            yield own, core, second


async def test_every_node_says_how_old_the_boards_are_whichever_follows(full: tuple[Servers, Core, Core]) -> None:
    _, core, second = full
    player = await enlist(core, database="one")
    async with following(core):
        await assert_agrees_soon(core)
    async with following_these(core, contests_of(core)) as ours, following_these(second, contests_of(core)) as theirs:

        def ages() -> list[float]:
            return [time.time() - each._age.current for each in (*ours, *theirs)]

        async def are_low() -> bool:
            return max(ages()) < 2

        await wait_until(are_low, what="both nodes say that the boards are up to date")
        limit: Any = await core.redis.commands.config_get("maxmemory")
        await core.redis.commands.config_set("maxmemory", 1)
        await act(core, player.id, "hunt")
        await asyncio.sleep(8)
        assert min(ages()) > 6, ages()
        await core.redis.commands.config_set("maxmemory", limit["maxmemory"])
        await wait_until(are_low, what="the boards are up to date again")
        await wait_until(lambda: agrees(core), what="so they are")
