"""A slot that changes its database: clients see nothing of it, and a database refuses what isn't its own."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from gameserver.app import Core
from gameserver.commands.accounts import Application
from gameserver.commands.identity import delete, rename
from gameserver.commands.sign_in import sign_in_by_device, sign_in_by_password
from gameserver.commands.sign_up import enroll, sign_up
from gameserver.rules.errors import DatabaseUnavailable
from gameserver.rules.player import Player
from gameserver.storage.ids import slot_of
from gameserver.storage.operators.questions import Question
from gameserver.upkeep.loops import sweep
from tests.support.client import command_id
from tests.support.deployment import (
    act,
    assert_ledger_explains,
    connected,
    enlist,
    enlist_many,
    move_slot,
    order,
    owner,
    present,
    settled,
    slots_of,
)
from tests.support.devices import device_of
from tests.support.freezing import frozen
from tests.support.servers import Servers
from tests.support.uniqueness import assert_unique

Ask = Callable[[Core, Player], Awaitable[object]]


async def _act(core: Core, player: Player) -> object:
    return (await act(core, player.id)).player.version


async def _read(core: Core, player: Player) -> object:
    return (await present(core, player.id)).version + 1


async def _history(core: Core, player: Player) -> object:
    return len((await core.commands.play.history.page(player.id, 10, None)).rows) + 1


async def _end_sessions(core: Core, player: Player) -> object:
    await core.rooms.accounts.credentials.raise_session_epoch(player.id)
    _, epoch = await core.rooms.accounts.credentials.password(player.id)
    return epoch + 1


@pytest.mark.parametrize("ask", [_act, _read, _history, _end_sessions])
async def test_a_node_with_a_stale_map_finds_a_player_that_has_moved(core: Core, second: Core, ask: Ask) -> None:
    player = await enlist(core, database="one")
    await act(core, player.id)
    assert owner(second, player.id) == "one"
    await move_slot(core, slot_of(player.id), "two")
    assert await ask(second, player) == (2 if ask is _end_sessions else 3)
    assert owner(second, player.id) == "two"


async def test_players_that_act_while_their_slot_moves_to_and_fro_lose_nothing_and_notice_nothing(
    core: Core, second: Core
) -> None:
    players = await enlist_many(core, 4)
    moving = True

    async def play(node: Core, player: Player) -> int:
        done = 0
        while moving:
            answers = await settled(node, [order(node, player.id, "hunt"), order(node, player.id, "revive")])
            codes = {getattr(answer, "code", "done") for answer in answers}
            assert codes <= {"done", "player_is_down", "player_is_up"}, codes
            done += 1
        return done

    playing = [asyncio.create_task(play(node, player)) for node in (core, second) for player in players]
    for _ in range(3):
        for player in players:
            await core.slots.refresh()
            await move_slot(core, slot_of(player.id), {"one": "two", "two": "one"}[owner(core, player.id)])
    moving = False
    assert all([await task > 3 for task in playing])
    await core.slots.refresh()
    for player in players:
        await assert_ledger_explains(core, player.id)


async def test_commands_for_a_moving_slot_are_answered_in_time_while_the_control_database_is_silent(
    core: Core, servers: Servers
) -> None:
    player = await enlist(core, database="two")

    async def seconds(after: float) -> float:
        await asyncio.sleep(after)
        began = time.monotonic()
        with pytest.raises(DatabaseUnavailable):
            await act(core, player.id)
        return time.monotonic() - began

    async with connected(core.databases["two"].url) as connection:
        await connection.execute("update players_owned_slots set owned = false where slot = $1", slot_of(player.id))
        with frozen(servers.postgres[core.settings.control.database]):
            took = await asyncio.gather(*(seconds(0.5 * number) for number in range(6)))
    assert max(took) < core.settings.writes.deadline_seconds + 1, took


async def test_a_database_refuses_to_write_a_slot_that_it_doesnt_own_whatever_the_map_says(core: Core) -> None:
    player, neighbour = await enlist(core, database="one"), await enlist(core, database="one")
    while slot_of(neighbour.id) == slot_of(player.id):
        neighbour = await enlist(core, database="one")
    async with connected(core.databases["one"].url) as connection:
        await connection.execute("update players_owned_slots set owned = false where slot = $1", slot_of(player.id))
        refused, *others = await asyncio.gather(
            act(core, player.id),
            core.rooms.accounts.credentials.raise_session_epoch(player.id),
            core.rooms.players.read([player.id]),
            act(core, neighbour.id),
            return_exceptions=True,
        )
        entries = "select count(*) from ledger where player_id = $1"
        state = f"select version, session_epoch, ({entries}) from players where id = $1"
        assert tuple(await connection.fetchrow(state, player.id)) == (1, 0, 1)
    assert isinstance(refused, DatabaseUnavailable)
    assert [isinstance(answer, DatabaseUnavailable) for answer in others] == [True, True, False]


async def test_a_sign_up_whose_slot_moved_makes_its_player_where_the_slot_is(core: Core, second: Core) -> None:
    for slot in slots_of(core, "one"):
        await move_slot(core, slot, "two")
    player = await enlist(second, database="one")
    await second.slots.refresh()
    assert owner(second, player.id) == "two"
    assert await present(second, player.id) == player


async def move_claims(core: Core, target: str) -> None:
    """Moves every claim to one database, and leaves nothing where they were."""
    for source in {"one", "two"} - {target}:
        async with connected(core.databases[source].url) as old, connected(core.databases[target].url) as new:
            await new.copy_records_to_table("claims", records=[tuple(row) for row in await old.fetch("table claims")])
            await new.execute(
                "insert into accounts_owned_slots select each, true, 2 from generate_series(0, 63) as each "
                "on conflict (slot) do update set owned = true"
            )
            await old.execute("delete from claims")
            await old.execute("update accounts_owned_slots set owned = false, epoch = 2")
    async with connected(core.databases["one"].url) as control:
        await control.execute("""update slots set database = $1, epoch = 2 where "group" = 'accounts'""", target)


@pytest.mark.parametrize("target", ["one", "two"])
async def test_players_sign_in_on_a_node_with_a_stale_map_after_their_claims_have_moved(
    core: Core, second: Core, target: str
) -> None:
    wanted = Application("Ann Lee", "mage", device=device_of("anns-device"), password="anns-password")
    birth, _ = await enroll(core.commands.accounts, wanted, command_id())
    await move_claims(core, target)
    by_name = await sign_in_by_password(second.commands.accounts, "Ann Lee", "anns-password")
    by_device = await sign_in_by_device(second.commands.accounts, device_of("anns-device"))
    assert by_name.player == by_device.player == birth.player


async def test_a_player_is_renamed_and_deleted_on_a_node_with_a_stale_map_after_the_player_and_its_claims_have_moved(
    core: Core, second: Core
) -> None:
    welcome = await sign_up(
        core.commands.accounts, Application("Ann Lee", "mage", device=device_of("anns-device")), command_id()
    )
    target = {"one": "two", "two": "one"}[owner(core, welcome.player.id)]
    await move_slot(core, slot_of(welcome.player.id), target)
    await move_claims(core, target)
    assert (await rename(second.commands.accounts, welcome.session, "Bea Lee", command_id())).player.version == 2
    await assert_unique(core)
    await delete(second.commands.accounts, welcome.token, command_id())
    assert (await assert_unique(core)).claims == []


async def test_the_sweeper_leaves_claims_alone_that_lie_where_their_slot_no_longer_is(core: Core) -> None:
    birth, _ = await enroll(
        core.commands.accounts, Application("Ann Lee", "mage", device=device_of("anns-device")), command_id()
    )
    for name in ("one", "two"):
        async with connected(core.databases[name].url) as connection:
            await connection.execute("update claims set confirmed = false, deadline = now() - interval '1 s'")
            await connection.execute("update accounts_owned_slots set owned = false")
    assert await core.rooms.accounts.claims.overdue(10) == []
    assert await sweep(core.commands.accounts) == 0
    assert await present(core, birth.player.id) == birth.player


async def test_reports_count_every_player_once_and_where_it_lies_after_slots_moved_to_a_database_that_had_none(
    core: Core, second: Core
) -> None:
    players = await enlist_many(core, 6)
    for slot in slots_of(core, "one"):
        await move_slot(core, slot, "two")
    await second.slots.refresh()
    assert [database.name for database in second.slots.databases("players")] == ["two"]
    for slot in slots_of(second, "two")[::2]:
        await move_slot(core, slot, "one")
    counts, _ = await second.rooms.operators.reports.count()
    assert sum(count.players for count in counts) == 6
    ranking = await second.rooms.operators.reports.rank(Question(by="created_at", limit=10))
    assert {player.id for player in ranking.players} == {player.id for player in players}
    at_one = sum(count.players for count in counts if count.database == "one")
    assert at_one == sum(owner(second, player.id) == "one" for player in players)
