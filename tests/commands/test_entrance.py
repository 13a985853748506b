"""The entrance has places for each database, so that those that are silent take no other's."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import ExitStack

import pytest

from gameserver.app import Core
from gameserver.commands.entrance import SPARED, Entrance
from gameserver.rules.errors import Overloaded
from gameserver.storage.postgres.waits import noted, waiting_for
from gameserver.waiting import cancel_and_wait
from tests.support.deployment import enlist
from tests.support.freezing import frozen
from tests.support.servers import Servers
from tests.support.wait import wait_until


def has_room(entrance: Entrance, database: str) -> bool:
    try:
        entrance.require_room(database)
    except Overloaded:
        return False
    return True


def test_a_place_too_many_is_refused_until_one_is_left() -> None:
    entrance = Entrance(2)
    with entrance.place("one"):
        with entrance.place("one"):
            with pytest.raises(Overloaded) as refused, entrance.place("one"):
                pass
            assert refused.value.retry_after == 1
        with entrance.place("one"):
            pass


def test_silent_databases_fill_their_own_places_only_and_the_others_keep_some() -> None:
    entrance = Entrance(2 * SPARED)
    with ExitStack() as silent:
        for database in ("one", "two") * 2 * SPARED:
            silent.enter_context(entrance.place(database))
        with entrance.place("three"), entrance.place("three"):
            with pytest.raises(Overloaded), entrance.place("three"):
                pass
            with entrance.place("four"), pytest.raises(Overloaded), entrance.place("four", "one"):
                pass
    with ExitStack() as again:
        for _ in range(2 * SPARED):
            again.enter_context(entrance.place("three"))


def test_who_needs_a_full_database_is_refused_and_holds_no_place() -> None:
    entrance = Entrance(1)
    with entrance.place("silent"):
        with pytest.raises(Overloaded), entrance.place("one", "silent"):
            pass
        with entrance.place("one"):
            pass


def test_each_is_counted_where_it_waits_or_waited_last() -> None:
    entrance = Entrance(1)
    with entrance.place("one"):
        assert not has_room(entrance, "one")
        with waiting_for("two"), waiting_for("three"), waiting_for("three"):
            assert [has_room(entrance, database) for database in ("one", "two", "three")] == [True, False, False]
        assert [has_room(entrance, database) for database in ("one", "two", "three")] == [True, False, True]
    assert has_room(entrance, "two")


async def test_a_question_that_nobody_waits_for_any_more_is_counted_until_it_is_answered() -> None:
    entrance, reply = Entrance(1), asyncio.get_running_loop().create_future()
    with entrance.place("one"):
        noted("two", reply)
    assert has_room(entrance, "one")
    assert not has_room(entrance, "two")
    reply.set_result(None)
    await wait_until(lambda: has_room(entrance, "two"), what="it is counted no more")


@pytest.mark.parametrize(
    "ask",
    [
        lambda core, player_id: core.rooms.accounts.entrants.find(player_id),
        lambda core, player_id: core.rooms.accounts.credentials.password(player_id),
        lambda core, player_id: core.rooms.players.epoch(player_id),
    ],
    ids=["a lane", "a pool", "a reader"],
)
async def test_whatever_asks_a_silent_database_is_counted_there(
    core: Core, servers: Servers, ask: Callable[[Core, int], Awaitable[object]]
) -> None:
    entrance, player = Entrance(1), await enlist(core, database="two")
    with frozen(servers.postgres["two"]):
        with entrance.place("one"):
            asking = asyncio.ensure_future(ask(core, player.id))
            await wait_until(lambda: not has_room(entrance, "two"), what="it waits for the silent one")
            assert has_room(entrance, "one")
        await cancel_and_wait([asking])
    await wait_until(lambda: has_room(entrance, "two"), what="it has been given up")
