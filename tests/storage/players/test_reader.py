"""Reads are shared and bounded, and see every write that was acknowledged before they were asked."""

import asyncio
import random

import pytest

from gameserver.app import Core
from gameserver.coalescing import Bounds
from gameserver.rules.errors import DatabaseUnavailable, GameError, Overloaded
from gameserver.storage.ids import LARGEST_ID
from gameserver.storage.players import reader
from gameserver.storage.players.command import Receipt
from gameserver.storage.players.reader import Reader
from tests.support.deployment import act, connected, enlist, enlist_many, order, present, settled
from tests.support.wait import wait_until


async def test_every_read_returns_exactly_the_players_that_it_asked_for(core: Core) -> None:
    players = {player.id: player for player in await enlist_many(core, 20)}
    absent = [0, 1, -1, LARGEST_ID, LARGEST_ID + 1, 2**80, *(player + 1 for player in players)]
    dice = random.Random(1)

    async def ask() -> None:
        wanted = dice.choices([*players, *absent], k=dice.randrange(12))
        assert await core.rooms.players.read(wanted) == {wish: players[wish] for wish in wanted if wish in players}

    await asyncio.gather(*(ask() for _ in range(300)))


async def test_however_many_reads_wait_a_node_asks_a_database_no_more_than_two_questions_at_a_time(core: Core) -> None:
    players = await enlist_many(core, 10, "one")
    queries = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query like '%wanted_id%'"
    url = core.databases["one"].url
    async with connected(url) as watcher, connected(url) as other:

        async def queries_wait() -> bool:
            return bool(await watcher.fetchval(queries) == reader.BOUNDS.flights)

        async with other.transaction():
            await other.execute("lock table players in access exclusive mode")
            reading = [asyncio.create_task(present(core, player.id)) for player in players * 20]
            await asyncio.sleep(0)
            reading += [asyncio.create_task(present(core, player.id)) for player in players * 20]
            await wait_until(queries_wait, what="as many queries as there may be wait for the table")
        assert await asyncio.gather(*reading) == players * 40


async def test_a_read_sees_what_was_acknowledged_on_any_node(core: Core, second: Core) -> None:
    player = await enlist(core)

    async def keep_reading() -> None:
        while True:
            await present(second, player.id)

    noise = [asyncio.create_task(keep_reading()) for _ in range(4)]
    for _ in range(100):
        (outcome,) = await settled(core, [order(core, player.id)])
        if isinstance(outcome, Receipt):
            now, elsewhere = await present(core, player.id), await present(second, player.id)
            assert now == elsewhere == outcome.player
        else:
            await act(core, player.id, "revive")
    for task in noise:
        task.cancel()
    await asyncio.wait(noise)


async def test_a_read_that_the_database_doesnt_answer_is_refused_in_time_and_the_next_one_is_served(core: Core) -> None:
    player, elsewhere = await enlist(core, database="one"), await enlist(core, database="two")
    async with connected(core.databases["one"].url) as other, other.transaction():
        await other.execute("lock table players in access exclusive mode")
        reading = asyncio.create_task(present(core, player.id))
        assert await present(core, elsewhere.id) == elsewhere
        assert not reading.done()
        with pytest.raises(DatabaseUnavailable):
            await asyncio.wait_for(reading, 4)
    assert await present(core, player.id) == player


async def test_more_reads_than_may_wait_are_refused_at_once_and_the_others_served(
    core: Core,
) -> None:
    players = await enlist_many(core, 20, "one")
    own = Reader(core.databases["one"], Bounds(flights=2, together=7, waiting=50, seconds=5.0))
    asked = [own.ask(player.id) for player in players] + [own.ask(players[0].id) for _ in range(30)]
    with pytest.raises(Overloaded):
        own.ask(players[1].id)
    run = asyncio.create_task(own.run())
    found = await asyncio.gather(*asked)
    assert [outcome and outcome.player for outcome in found] == players + [players[0]] * 30
    assert await own.ask(players[1].id) == (players[1], 0)
    run.cancel()
    await asyncio.wait([run])


async def test_readers_that_leave_disturb_no_other(core: Core) -> None:
    player = await enlist(core)

    async def leave() -> None:
        task = asyncio.create_task(present(core, player.id))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])

    await asyncio.gather(*(leave() for _ in range(50)), *(present(core, player.id) for _ in range(50)))


async def test_reads_that_still_wait_when_the_node_stops_are_answered(core: Core) -> None:
    player = await enlist(core, database="one")
    own = Reader(core.databases["one"])
    run = asyncio.create_task(own.run())
    async with connected(core.databases["one"].url) as other, other.transaction():
        await other.execute("lock table players in access exclusive mode")
        asked = [own.ask(player.id)]
        await asyncio.sleep(0)
        asked.append(own.ask(player.id))
        run.cancel()
        done, _ = await asyncio.wait(asked, timeout=20)
    assert len(done) == 2
    assert all(isinstance(question.exception(), GameError) for question in asked)
    with pytest.raises(GameError):
        await own.ask(player.id)
