"""Boards follow the database through lost memories, old dumps, killed followers and crashed servers."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Any

import asyncpg
import pytest

from gameserver.app import Core
from gameserver.commands import boards, moderation
from gameserver.rules.errors import BoardUnavailable, GameError, Unavailable
from gameserver.rules.player import Player
from gameserver.storage.accounts.bans import BanChange
from gameserver.storage.boards import follower, ledger_reader
from gameserver.storage.boards.layout import MICROSECOND, START, Contest
from gameserver.storage.boards.writer import BoardWriter
from gameserver.storage.ids import slot_of
from gameserver.storage.ledger.snapshot import Checkpoint, Snapshot, Source
from gameserver.storage.postgres.locks import FOLLOWING
from tests.support.client import command_id
from tests.support.deployment import (
    act,
    assert_ledger_explains,
    connected,
    enlist,
    enlist_many,
    following,
    names_of,
    superuser,
    working,
)
from tests.support.servers import Servers, running_servers
from tests.support.wait import wait_until

FOLLOWERS = f"""select pid from pg_locks where locktype = 'advisory' and objid = {FOLLOWING} and granted
and database = (select oid from pg_database where datname = current_database())"""
CLASSES = ("warrior", "fighter", "mage", "priest")


def test_pauses_are_short_while_players_act_and_long_while_none_does() -> None:
    shortest, busiest, quietest = follower.SHORTEST_PAUSE, follower.BUSY_PAUSE, follower.QUIET_PAUSE
    assert follower.pause_after(quietest, 0.001, busy=True) == shortest
    assert follower.pause_after(shortest, busiest / 10, busy=True) == busiest / 10 * follower.PAUSE_SHARE
    assert follower.pause_after(shortest, 3.0, busy=True) == busiest
    pauses = [shortest]
    for _ in range(10):
        pauses.append(follower.pause_after(pauses[-1], 0.001, busy=False))
    assert pauses == sorted(pauses)
    assert pauses[1] == 2 * shortest
    assert pauses[-1] == quietest


@pytest.fixture
async def followed(core: Core) -> AsyncIterator[Core]:
    async with following(core):
        yield core


Places = list[tuple[int, int, Any]]


async def on_board(core: Core, board: str) -> Places:
    """Id, score and time of everybody on the board, from the top."""
    found, after = Places(), None
    while True:
        page = (await boards.top(core.commands.leaderboards, board, boards.CURRENT, 100, after)).page
        found += [(each.player_id, each.score, START + each.reached_at * MICROSECOND) for each in page.standings]
        if page.after is None:
            return found
        after = page.after


async def in_databases(core: Core, board: str) -> Places:
    """The same as the databases have it."""
    rows: list[tuple[Any, ...]] = []
    for database in core.slots.databases("players"):
        async with connected(database.url) as connection:
            statement = "select id, exp, exp_reached_at from players where not void and ($1 = 'exp' or class = $1)"
            rows += [tuple(row) for row in await connection.fetch(statement, board)]
    return sorted(rows, key=lambda row: (-row[1], row[2], row[0]))


async def agrees(core: Core) -> bool:
    """Whether every board equals the databases, place by place."""
    with suppress(BoardUnavailable):
        for board in ("exp", *CLASSES):
            if await on_board(core, board) != await in_databases(core, board):
                return False
        return True
    return False


async def assert_agrees_soon(core: Core, seconds: float = 15) -> None:
    await wait_until(lambda: agrees(core), seconds, "the boards equal the databases")


async def play(core: Core, players: Sequence[Player], rounds: int = 1) -> list[str]:
    """Some acts of each; the ids of those that were acknowledged, as the rules refuse some."""
    acknowledged: list[str] = []

    async def act_some(player: Player) -> None:
        for _ in range(rounds):
            for action in ("hunt", "hunt", "revive"):
                with suppress(GameError):
                    acknowledged.append((await act(core, player.id, action)).command_id)

    await asyncio.gather(*(act_some(each) for each in players))
    return acknowledged


async def test_boards_of_a_redis_that_forgets_everything_again_and_again_come_back_equal_to_the_databases(
    followed: Core,
) -> None:
    players = await enlist_many(followed, 20)
    for _ in range(3):
        await play(followed, players, 3)
        await followed.redis.commands.flushall()
        await play(followed, players)
    await assert_agrees_soon(followed)


async def test_a_database_larger_than_a_chunk_is_loaded_whole_while_its_players_play(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "CHUNK", 7)
    players = await enlist_many(core, 60)
    async with following(core):
        playing = asyncio.create_task(play(core, players[:20], 8))
        await assert_agrees_soon(core)
        await playing
        await assert_agrees_soon(core)


async def write_by_hand(connection: asyncpg.Connection, player: Player, exp: int) -> None:
    """What a group commit writes."""
    changed = """update players set exp = $3, version = version + 1, exp_reached_at = clock_timestamp()
    where slot = $1 and id = $2 returning version"""
    version = await connection.fetchval(changed, slot_of(player.id), player.id, exp)
    entry = """insert into ledger values ($1, $2, $3, 'by_hand', '{}', 0, '{}', $4, clock_timestamp(),
    pg_current_xact_id()::text::bigint)"""
    await connection.execute(entry, slot_of(player.id), player.id, command_id(), version)


async def test_rows_whose_transactions_commit_in_another_order_than_their_ids_are_all_followed(
    followed: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when the follower has to go through thousands of newer transactions in turns of a few."""
    monkeypatch.setattr(ledger_reader, "TRANSACTIONS", 20)
    players = await enlist_many(followed, 12, "one")
    url, dice = followed.databases["one"].url, random.Random(7)
    connections = [await asyncpg.connect(url.get_secret_value()) for _ in players]
    try:
        for connection, player in zip(connections, players, strict=True):
            await connection.execute("begin")
            await write_by_hand(connection, player, 1000 + player.id % 97)
        others = await enlist_many(followed, 12)
        for connection in dice.sample(connections, len(connections)):
            await play(followed, others)
            await assert_agrees_soon(followed)
            await connection.execute("commit")
    finally:
        for connection in connections:
            connection.terminate()
    await assert_agrees_soon(followed)


async def test_equal_scores_stand_as_they_were_reached_on_every_database(followed: Core) -> None:
    players = await enlist_many(followed, 12)
    for rank, player in enumerate(random.Random(3).sample(players, len(players))):
        async with connected(followed.slots.owner("players", slot_of(player.id)).url) as connection:
            await write_by_hand(connection, player, 5000 if rank else 4999)
    await assert_agrees_soon(followed)
    assert len({score for _, score, _ in await on_board(followed, "exp")}) == 2


async def test_changes_of_class_move_players_between_boards(followed: Core) -> None:
    players = [await enlist(followed, "warrior", exp=300) for _ in range(4)]
    for player, to in zip(players, ("mage", "priest", "mage", "fighter"), strict=True):
        await act(followed, player.id, "change_class", **{"class": to})
    await assert_agrees_soon(followed)
    assert await on_board(followed, "warrior") == []
    for player in players[:2]:
        await act(followed, player.id, "change_class", **{"class": "warrior"})
    await assert_agrees_soon(followed)


async def dumped(core: Core) -> dict[Any, Any]:
    """All boards' keys as of one moment, as a dump of Redis has them."""
    keys = await core.redis.commands.keys("gs:*board*")
    async with core.redis.commands.pipeline(transaction=True) as together:
        for key in keys:
            together.dump(key)
        found = await together.execute()
    return {key: value for key, value in zip(keys, found, strict=True) if value is not None}


async def restore(core: Core, dump: dict[Any, Any]) -> None:
    """Puts Redis back to an old state at once, as a dump loaded by an operator does."""
    keys = await core.redis.commands.keys("gs:*board*")
    async with core.redis.commands.pipeline(transaction=True) as together:
        for key in keys:
            together.delete(key)
        for key, value in dump.items():
            together.restore(key, 0, value, replace=True)
        await together.execute()


async def test_boards_of_an_old_dump_catch_up_with_the_databases(followed: Core) -> None:
    players = await enlist_many(followed, 10)
    await assert_agrees_soon(followed)
    old = await dumped(followed)
    await play(followed, players, 4)
    players += await enlist_many(followed, 5)
    await assert_agrees_soon(followed)
    await restore(followed, old)
    assert not await agrees(followed)
    await assert_agrees_soon(followed)


async def test_an_old_dump_brings_nobody_back_who_was_banned_since(followed: Core) -> None:
    players = await enlist_many(followed, 6)
    await assert_agrees_soon(followed)
    old, banned = await dumped(followed), players[2].id
    await moderation.change_ban(followed.commands.operations, "a test", BanChange(command_id(), banned, True, "a test"))

    async def is_off() -> bool:
        with suppress(BoardUnavailable):
            return banned not in [who for who, _, _ in await on_board(followed, "exp")]
        return False

    await wait_until(is_off, what="the player is off the board")
    await restore(followed, old)
    assert not await is_off()
    await wait_until(is_off, what="the player is off the board again")
    await play(followed, [each for each in players if each.id != banned])
    assert await is_off()


async def test_boards_of_a_dump_taken_in_the_middle_of_a_load_are_loaded_whole(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "CHUNK", 2)
    await enlist_many(core, 20)
    async with following(core):

        async def is_half_loaded() -> bool:
            return (
                0
                < max(
                    [await core.redis.commands.zcard(key) for key in await core.redis.commands.keys("*exp*:order")]
                    or [0]
                )
                < 20
            )

        await wait_until(is_half_loaded, what="a load is under way")
        half = await dumped(core)
        await assert_agrees_soon(core)
    await restore(core, half)
    async with following(core):
        await assert_agrees_soon(core)


async def test_when_a_followers_connection_is_ended_another_node_goes_on(
    servers: Servers, core: Core, second: Core
) -> None:
    players = await enlist_many(core, 8)
    async with following(core), following(second):
        await assert_agrees_soon(core)
        for _ in range(3):
            async with superuser(servers, core, "one") as killer:
                (pid,) = [row["pid"] for row in await killer.fetch(FOLLOWERS)]
                await killer.execute("select pg_terminate_backend($1)", pid)
                await play(core, players)

                async def is_followed_again(killer: asyncpg.Connection = killer, old: int = pid) -> bool:
                    return [row["pid"] for row in await killer.fetch(FOLLOWERS)] not in ([], [old])

                await wait_until(is_followed_again, what="somebody follows the database again")
            await assert_agrees_soon(core)


async def test_no_node_follows_a_database_that_another_one_follows(core: Core, second: Core, servers: Servers) -> None:
    async with following(core), following(second):
        await enlist_many(core, 3)
        await assert_agrees_soon(core)
        async with superuser(servers, core, "one") as watcher:
            assert len(await watcher.fetch(FOLLOWERS)) == 1


@pytest.fixture
async def mortal() -> AsyncIterator[tuple[Servers, Core]]:
    """A followed deployment on servers of its own, which may be killed."""
    async with running_servers() as own:
        settings = own.settings(await own.fresh())
        async with working(settings) as core, following(core):
            yield own, core


async def test_boards_equal_the_databases_after_postgres_was_killed_again_and_again_under_load(
    mortal: tuple[Servers, Core],
) -> None:
    own, core = mortal
    players = await enlist_many(core, 12)
    await assert_agrees_soon(core)
    acknowledged: list[str] = []
    for _ in range(3):
        playing = asyncio.create_task(play(core, players, 12))
        await asyncio.gather(*(act(core, each.id, "hunt") for each in await enlist_more(core)))
        own.postgres["one"].kill()
        await own.postgres["one"].start()
        acknowledged += await playing
    await assert_agrees_soon(core)
    recorded = [row["key"] for player in players for row in await assert_ledger_explains(core, player.id)]
    assert set(acknowledged) <= set(recorded), "an acknowledged command was lost"


async def enlist_more(core: Core) -> list[Player]:
    """Three players of a database that has just come back: a pooled connection may still be of its last life."""
    found: list[Player] = []

    async def is_done() -> bool:
        with suppress(Unavailable):
            found.append(await enlist(core, database="one"))
        return len(found) == 3

    await wait_until(is_done, what="players can sign up again")
    return found


async def test_rows_under_transaction_ids_that_a_crash_hands_out_again_are_followed(
    mortal: tuple[Servers, Core],
) -> None:
    own, core = mortal
    players = await enlist_many(core, 5, "one")
    await assert_agrees_soon(core)
    for _ in range(5):  # the server remembers them if anybody, as autovacuum, commits behind them
        if await hands_ids_out_again(own, core, players):
            break
    else:
        raise AssertionError("no ids were handed out again")
    await assert_agrees_soon(core)


async def hands_ids_out_again(own: Servers, core: Core, players: Sequence[Player]) -> bool:
    """Whether a crash made the server forget ids of transactions that the follower has passed, and players' rows have
    some of them."""
    async with connected(core.databases["one"].url) as connection:
        for _ in range(300):
            lost: int = await connection.fetchval("select pg_current_xact_id()::text::bigint")

    async def is_passed() -> bool:
        exp = Contest(core.rooms.seasons.calendar.board("exp"))
        (found,) = await BoardWriter(core.redis.commands).generations([exp], "one", names_of(core))
        return all(Checkpoint.load(each.checkpoint).snapshot.xmax > lost for each in found)

    await wait_until(is_passed, what="the follower has passed the ids")
    own.postgres["one"].kill()
    await own.postgres["one"].start()
    await play(core, players)
    async with connected(core.databases["one"].url) as connection:
        return bool(await connection.fetchval("select max(txid) < $1 from ledger", lost))


async def test_a_board_is_loaded_anew_for_a_database_of_another_system(core: Core) -> None:
    """As after a restore from a backup: the checkpoint is of a server that this one isn't, whose ids mean nothing."""
    players = await enlist_many(core, 6)
    async with following(core):
        await assert_agrees_soon(core)
    for key in await core.redis.commands.keys("*:checkpoints"):
        fields: dict[Any, Any] = await core.redis.commands.hgetall(key)
        for field, text in fields.items():
            if field not in (b"one", b"two"):
                continue
            here = Checkpoint.load(text.decode())
            there = Source("another", here.source.timeline, here.source.session)
            ahead = Checkpoint(there, Snapshot(here.snapshot.xmax + 10**6), here.committed + 10**6)
            await core.redis.commands.hset(key, field, ahead.dump())
    await play(core, players, 2)
    served = await on_board(core, "exp")
    assert served, "the old boards are served until the new ones are whole"
    async with following(core):
        await assert_agrees_soon(core)


async def test_a_board_that_lost_its_order_comes_back_whole_by_itself_and_is_never_shown_short(followed: Core) -> None:
    players = await enlist_many(followed, 10)
    await assert_agrees_soon(followed)
    await play(followed, players, 2)
    await assert_agrees_soon(followed)
    whole = len(await on_board(followed, "exp"))
    redis = followed.redis.commands
    keys = [key async for key in redis.scan_iter("gs:{board:exp}:0:*:order")]
    assert await redis.delete(*keys) == len(keys) == 1

    async def is_back() -> bool:
        try:
            shown = len(await on_board(followed, "exp"))
        except BoardUnavailable:
            return False
        assert shown == whole
        return True

    assert not await is_back()
    await wait_until(is_back, 20, "the board")
    await assert_agrees_soon(followed)
