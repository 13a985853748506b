"""What becomes of items in another database when a node dies or freezes at any step: taken once, or not at all."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import pytest

from gameserver import app as application
from gameserver.app import Core
from gameserver.config.settings import Settings
from gameserver.rules.errors import DatabaseUnavailable, Overloaded, Refused
from gameserver.rules.player import Player
from gameserver.storage.ids import slot_of
from gameserver.storage.items.backlog import MOST
from gameserver.storage.items.grants import Grants
from gameserver.storage.players.command import Receipt
from tests.storage.items.deployment import assert_sums, give, held, move, part, with_studio
from tests.storage.players.test_lost_connections import away
from tests.storage.sharding.moving import assert_settled
from tests.storage.sharding.moving import move as move_by_mover
from tests.support import freezing
from tests.support.client import command_id
from tests.support.deployment import (
    act,
    assert_ledger_explains,
    carrying,
    connected,
    enlist,
    enlist_many,
    order,
    settled,
    working,
)
from tests.support.servers import Servers
from tests.support.wait import wait_until

OPEN = "select count(*) from item_ledger where player_id = $1 and not settled"


@pytest.fixture
async def apart(settings: Settings, tmp_path: Path) -> Settings:
    """A deployment whose items all lie in the other database than their player."""
    await part(settings)
    return with_studio(settings, tmp_path)


@pytest.fixture
async def core(apart: Settings) -> AsyncIterator[Core]:
    async with working(apart) as opened:
        yield opened


@pytest.fixture
async def brewer(core: Core) -> Player:
    """A player with three herbs, of which brewing takes two."""
    player = await enlist(core, database="two")
    await give(core, player.id, "herb", 3)
    assert await held(core, player.id) == {"herb": 3}
    return player


@pytest.fixture
async def items(core: Core, brewer: Player) -> AsyncIterator[asyncpg.Connection]:
    """The database of the brewer's items."""
    async with connected(core.slots.owner("items", slot_of(brewer.id)).url) as connection:
        yield connection


@dataclass
class Frozen:
    """A node that has reserved what a command takes and got no further until it thaws."""

    core: Core
    answer: asyncio.Task[Receipt]
    _items: asyncpg.Connection
    _run: list[asyncio.Task[None]] = field(default_factory=list)

    async def thaw(self) -> None:
        self._run.append(asyncio.create_task(self.core.rooms.players.run()))
        await asyncio.sleep(0)

    async def die(self) -> None:
        for task in (*self._run, self.answer):
            task.cancel()
        await asyncio.wait([*self._run, self.answer])
        # What waits for a lock would take effect once it gets it.
        waiting = "wait_event_type = 'Lock' and datname = current_database()"
        await self._items.execute(f"select pg_terminate_backend(pid, 5000) from pg_stat_activity where {waiting}")


@asynccontextmanager
async def frozen(
    settings: Settings, items: asyncpg.Connection, player: Player, key: str, action: str = "brew", **args: object
) -> AsyncIterator[Frozen]:
    async with application.open_core(settings) as opened:
        node = Frozen(opened, asyncio.create_task(act(opened, player.id, action, key, **args)), items)

        async def has_reserved() -> bool:
            return bool(await items.fetchval(OPEN, player.id))

        await wait_until(has_reserved, what="the node has reserved")
        yield node
        await node.die()


async def grow_old(items: asyncpg.Connection, player: Player) -> None:
    """Makes the player's open reservations as old as those that the sweeper settles."""
    aged = "update item_ledger set at = at - interval '1 hour' where player_id = $1 and not settled"
    await items.execute(aged, player.id)


async def test_items_that_a_dead_node_had_reserved_are_shown_as_owned_and_given_back_by_the_sweeper(
    apart: Settings, core: Core, brewer: Player, items: asyncpg.Connection
) -> None:
    async with frozen(apart, items, brewer, command_id()):
        pass
    assert await items.fetchval("select count from stacks where player_id = $1", brewer.id) == 1
    assert await held(core, brewer.id) == {"herb": 3}
    await assert_sums(core, brewer.id)
    assert await core.rooms.players.payments.sweep(10) == 0, "it isn't overdue yet"
    await grow_old(items, brewer)
    assert await core.rooms.players.payments.sweep(10) == 1
    assert await items.fetchval("select count from stacks where player_id = $1", brewer.id) == 3
    assert await items.fetchval(OPEN, brewer.id) == 0
    await assert_sums(core, brewer.id)


async def test_lines_for_a_silent_database_of_players_leave_room_for_those_who_dont_need_it(
    core: Core, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core.rooms.players.payments._lines, "_longest", 2)
    silent, poor = await enlist_many(core, 3, "two"), await enlist(core, database="one")
    await move(core, "items", slot_of(poor.id), "one")
    await core.slots.refresh()
    with freezing.frozen(servers.postgres["two"]):
        lined = [asyncio.create_task(act(core, player.id, "brew")) for player in silent]
        await asyncio.wait(lined, return_when=asyncio.FIRST_COMPLETED)
        assert [type(task.exception()) for task in lined if task.done()] == [Overloaded], "the others wait"
        with pytest.raises(Refused):
            await act(core, poor.id, "brew")
    await asyncio.gather(*lined, return_exceptions=True)


async def test_a_retry_on_another_node_takes_the_place_of_an_attempt_that_died_or_froze(
    apart: Settings, core: Core, brewer: Player, items: asyncpg.Connection
) -> None:
    key = command_id()
    async with frozen(apart, items, brewer, key) as node:
        receipt = await act(core, brewer.id, "brew", key)
        assert not receipt.replayed
        await node.thaw()
        late = await node.answer
    assert late.replayed
    assert (late.player, list(late.events)) == (receipt.player, list(receipt.events))
    assert await held(core, brewer.id) == {"herb": 1, "potion": 1}
    await assert_sums(core, brewer.id)
    await assert_ledger_explains(core, brewer.id)


async def test_a_node_that_wakes_up_after_its_items_were_given_back_and_used_takes_nothing(
    apart: Settings, core: Core, brewer: Player, items: asyncpg.Connection
) -> None:
    async with frozen(apart, items, brewer, command_id()) as node:
        await act(core, brewer.id, "burn", item="herb", count=3)
        await node.thaw()
        with pytest.raises(Refused) as caught:
            await node.answer
    assert caught.value.code == "not_enough_items"
    assert await held(core, brewer.id) == {}
    assert await items.fetchval(OPEN, brewer.id) == 0
    await assert_sums(core, brewer.id)


async def test_a_node_that_wakes_up_after_the_sweeper_pays_anew(
    apart: Settings, core: Core, brewer: Player, items: asyncpg.Connection
) -> None:
    async with frozen(apart, items, brewer, command_id()) as node:
        await grow_old(items, brewer)
        assert await core.rooms.players.payments.sweep(10) == 1
        await node.thaw()
        assert not (await node.answer).replayed
    assert await held(core, brewer.id) == {"herb": 1, "potion": 1}
    await assert_sums(core, brewer.id)


async def test_a_node_that_dies_between_the_commit_and_the_confirmation_has_taken_the_items_once(
    apart: Settings, core: Core, brewer: Player, items: asyncpg.Connection
) -> None:
    key = command_id()
    async with frozen(apart, items, brewer, key) as node, items.transaction():
        await items.execute("select 1 from item_ledger where player_id = $1 and not settled for update", brewer.id)
        await node.thaw()
        receipt = await node.answer
        await node.die()
    assert await items.fetchval(OPEN, brewer.id) == 1
    assert await held(core, brewer.id) == {"herb": 1, "potion": 1}
    await assert_sums(core, brewer.id)
    await grow_old(items, brewer)
    assert await core.rooms.players.payments.sweep(10) == 1
    assert await items.fetchval(OPEN, brewer.id) == 0
    again = await act(core, brewer.id, "brew", key)
    assert (again.replayed, again.player) == (True, receipt.player)
    assert await held(core, brewer.id) == {"herb": 1, "potion": 1}
    await assert_sums(core, brewer.id)


async def test_a_node_that_dies_before_it_gives_back_what_a_rule_refused_has_taken_nothing(
    apart: Settings, core: Core, brewer: Player, items: asyncpg.Connection
) -> None:
    await give(core, brewer.id, "potion", 1)
    async with frozen(apart, items, brewer, command_id(), "use", item="potion") as node, items.transaction():
        await items.execute("select 1 from item_ledger where player_id = $1 and not settled for update", brewer.id)
        await node.thaw()
        waits = "select count(*) from pg_locks where not granted and locktype = 'transactionid'"

        async def gives_back() -> bool:
            return bool(await items.fetchval(waits))

        await wait_until(gives_back, what="the node gives back")
        await node.die()
    assert await held(core, brewer.id) == {"herb": 3, "potion": 1}
    await assert_sums(core, brewer.id)
    await act(core, brewer.id, "burn", item="potion")
    assert await held(core, brewer.id) == {"herb": 3}
    await assert_sums(core, brewer.id)


async def test_a_reservation_of_a_command_that_committed_without_it_is_given_back(
    apart: Settings, core: Core, brewer: Player, items: asyncpg.Connection
) -> None:
    """The items moved to their player in between, and another node took there what the command takes."""
    key, slot = command_id(), slot_of(brewer.id)
    await give(core, brewer.id, "herb", 2)
    assert await held(core, brewer.id) == {"herb": 5}
    async with frozen(apart, items, brewer, key) as node:
        await move(core, "items", slot, "two")
        receipt = await act(core, brewer.id, "brew", key)
        assert (receipt.replayed, receipt.payment) == (False, None)
        await node.thaw()
        assert (await node.answer).replayed
    assert await held(core, brewer.id) == {"herb": 3, "potion": 1}
    await assert_sums(core, brewer.id)


async def test_grants_are_acknowledged_while_the_items_database_is_away_and_arrive_once(
    servers: Servers, core: Core, brewer: Player
) -> None:
    async with away(servers, core):
        await give(core, brewer.id, "potion", 2)
        for doing in (act(core, brewer.id, "burn", item="herb"), core.rooms.players.items(brewer.id)):
            with pytest.raises(DatabaseUnavailable):
                await doing
    assert await held(core, brewer.id) == {"herb": 3, "potion": 2}
    assert await held(core, brewer.id) == {"herb": 3, "potion": 2}
    await assert_sums(core, brewer.id)


async def test_a_courier_delivers_grants_that_no_request_waits_for_to_the_owner_of_their_slot(
    core: Core, brewer: Player, items: asyncpg.Connection
) -> None:
    slot = slot_of(brewer.id)
    count = "select count from stacks where player_id = $1 and item = 'potion'"
    async with carrying(core, Grants(core.rooms.players.inventory)), connected(core.databases["two"].url) as other:
        await give(core, brewer.id, "potion", 2)
        await wait_until(lambda: _is(items.fetchval(count, brewer.id), 2), what="they have arrived")
        await move(core, "items", slot, "two")
        await give(core, brewer.id, "potion", 2)
        await wait_until(lambda: _is(other.fetchval(count, brewer.id), 4), what="they have arrived elsewhere")
        waiting = "select count(*) from outbox where player_id = $1"
        await wait_until(lambda: _is(other.fetchval(waiting, brewer.id), 0), what="the outbox is empty")
    await assert_sums(core, brewer.id)


async def _is(count: Awaitable[int], expected: int) -> bool:
    return await count == expected


async def test_a_grant_that_is_delivered_again_and_again_by_several_nodes_arrives_once(
    core: Core, apart: Settings, brewer: Player
) -> None:
    async with working(apart) as second:
        for _ in range(5):
            await give(core, brewer.id, "potion", 1)
        counts = await asyncio.gather(*(held(node, brewer.id) for node in (core, second) for _ in range(4)))
    assert counts == [{"herb": 3, "potion": 5}] * 8
    await assert_sums(core, brewer.id)


async def test_what_was_taken_and_granted_long_ago_is_forgotten_and_what_is_open_never(
    apart: Settings, core: Core, brewer: Player, items: asyncpg.Connection
) -> None:
    await act(core, brewer.id, "brew")
    assert await held(core, brewer.id) == {"herb": 1, "potion": 1}
    async with frozen(apart, items, brewer, command_id(), "burn", item="herb"):
        assert await _forget_old(core, 10) == 0
        await items.execute("update item_ledger set at = at - interval '31 days'")
        await wait_until(lambda: _forgets(core), what="all that is settled is forgotten")
    assert await items.fetch("select kind, settled from item_ledger") == [("take", False)]
    assert await held(core, brewer.id) == {"herb": 1, "potion": 1}


async def _forgets(core: Core) -> bool:
    return await _forget_old(core, 2) == 0


FILL = """insert into outbox (slot, player_id, command_id, number, kind, recipient, payload, at)
          select $2, -1, gen_random_uuid(), 0, 'items', -1, '{}', now() from generate_series(1, $1::int)"""


async def test_so_much_may_wait_for_a_database_of_items_and_then_what_grants_is_refused_until_there_is_room(
    core: Core, brewer: Player
) -> None:
    async with connected(core.slots.owner("players", slot_of(brewer.id)).url) as connection:
        await connection.execute(FILL, MOST, slot_of(brewer.id))
        await wait_until(lambda: _is_refused(core, brewer), what="what grants is refused")
        await act(core, brewer.id, "burn", item="herb")
        await connection.execute("delete from outbox where player_id = -1")
        await wait_until(lambda: _is_granted(core, brewer), what="there is room")
    await assert_sums(core, brewer.id)
    await assert_ledger_explains(core, brewer.id)


async def _is_granted(core: Core, player: Player) -> bool:
    try:
        await give(core, player.id, "potion")
    except Overloaded:
        return False
    return True


async def _is_refused(core: Core, player: Player) -> bool:
    return not await _is_granted(core, player)


async def test_players_that_deal_in_items_while_both_their_slots_move_lose_and_gain_nothing(
    core: Core, apart: Settings
) -> None:
    """By the mover: each player's items come to the player's database, and then both lie apart again."""
    players = [await enlist(core), await enlist(core, database="two")]
    moving = True

    async def play(node: Core, player_id: int) -> int:
        done = 0
        while moving:
            commands = [order(node, player_id, "find", item="herb", count=2), order(node, player_id, "brew")]
            answers = await settled(node, commands)
            assert {getattr(answer, "code", "done") for answer in answers} <= {"done", "not_enough_items"}
            done += isinstance(answers[1], Receipt)
        return done

    async with working(apart) as second:
        playing = [asyncio.create_task(play(node, player.id)) for node in (core, second) for player in players]
        for group in ("items", "players"):
            for player in players:
                source = core.slots.owner(group, slot_of(player.id)).name
                await move_by_mover(core, [slot_of(player.id)], {"one": "two", "two": "one"}[source], group)
        moving = False
        assert all([await task > 2 for task in playing])
    await core.slots.refresh()
    for player in players:
        await assert_sums(core, player.id)
        await assert_ledger_explains(core, player.id)
    for group in ("items", "players"):
        await assert_settled(core, group)


async def _forget_old(core: Core, most: int) -> int:
    """How many rows were deleted, at most so many on each database."""
    inventory = core.rooms.players.inventory
    return sum([await inventory.forget_old(database, most) for database in inventory.databases()])
