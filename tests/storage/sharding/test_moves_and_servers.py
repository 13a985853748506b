"""Servers are killed under a move: what was acknowledged is kept, every slot gets an owner again, the move goes on."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from urllib.parse import urlsplit

import asyncpg
import pytest
from pydantic import SecretStr

from gameserver.app import Core
from gameserver.commands import sharding
from gameserver.config.deployment import ControlSettings, GroupSettings
from gameserver.rules.errors import DatabaseUnavailable, Unavailable
from gameserver.rules.player import Player
from gameserver.stack.servers.postgres import PostgresServer
from gameserver.storage.sharding import provision
from gameserver.storage.sharding.move import SlotStep
from gameserver.storage.tables import migrations
from tests.storage.sharding import moving
from tests.support.deployment import connected, enlist, enlist_many, owner, working
from tests.support.servers import SLOTS, Servers, standing_servers
from tests.support.wait import wait_until

SYNC_SLOTS = "pg_replication_slots where slot_name like 'pg_%_sync_%' and not active"


@pytest.fixture(scope="module")
def own_servers() -> Iterator[Servers]:
    """Servers that this module may kill."""
    with standing_servers() as standing:
        yield standing


@pytest.fixture
async def apart(own_servers: Servers) -> AsyncIterator[Core]:
    """A node's storage on those servers."""
    database = await own_servers.fresh()
    async with working(own_servers.settings(database)) as opened:
        yield opened
    own_servers.drop(database)


@pytest.mark.family(2)
@pytest.mark.parametrize("step", list(moving.STEPS))
@pytest.mark.parametrize("killed", ["one", "two"], ids=["source and control database", "target"])
async def test_a_server_killed_under_a_move_delays_it_and_nothing_acknowledged_is_lost(
    apart: Core, own_servers: Servers, monkeypatch: pytest.MonkeyPatch, killed: str, step: str
) -> None:
    players = await enlist_many(apart, 3, "one")
    server = own_servers.postgres[killed]

    async def die() -> None:
        server.kill()
        await _start_later(server)

    restarts = moving.strike(monkeypatch, step, die)
    await _assert_all_move(apart, players, restarts)


async def _assert_all_move(apart: Core, players: Sequence[Player], blows: list[asyncio.Task[None]]) -> None:
    """Their slots move to two while they play, whatever `moving.strike` deals, and nothing is lost or left behind."""
    stop = asyncio.Event()
    playing = [asyncio.create_task(moving.play_until(apart, player.id, stop)) for player in players]
    moved = await asyncio.wait_for(moving.move(apart, moving.slot_with(players), "two"), 60)
    await asyncio.gather(*blows)
    stop.set()
    receipts = await asyncio.gather(*playing)
    assert {each.step for each in moved.slots} == {SlotStep.MOVED}
    assert {owner(apart, player.id) for player in players} == {"two"}
    await moving.assert_nothing_lost(apart, dict(zip([player.id for player in players], receipts, strict=True)))
    await moving.assert_settled(apart)


async def test_a_copy_whose_table_has_lost_its_slot_starts_again(
    apart: Core, own_servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a crash of the target just when Postgres had dropped the slot, and hadn't committed that it may."""
    players = await enlist_many(apart, 3, "one")
    target = urlsplit(own_servers.postgres["two"].superuser_url)
    base = urlsplit(apart.databases["two"].url.get_secret_value()).path

    async def lose_slot() -> None:
        async with connected(SecretStr(target._replace(path=base).geturl())) as connection:
            name = await connection.fetchval("select subname from pg_subscription")
            await connection.execute(f"alter subscription {name} disable")
            await wait_until(lambda: _has_no_worker(connection), what="nothing copies")
            copied = (
                "update pg_subscription_rel set srsubstate = 'f', srsublsn = '0/1' where srrelid = 'outbox'::regclass"
            )
            await connection.execute(copied)
            async with connected(SecretStr(own_servers.postgres["one"].superuser_url)) as source:
                await source.execute(f"select pg_drop_replication_slot(slot_name) from {SYNC_SLOTS}")
            await connection.execute(f"alter subscription {name} enable")

    await _assert_all_move(apart, players, moving.strike(monkeypatch, "while it is copied", lose_slot))


async def test_a_copy_whose_log_is_gone_starts_again(
    apart: Core, own_servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when its target was away for longer than `max_slot_wal_keep_size` of its source's log lasts."""
    players = await enlist_many(apart, 3, "one")
    target = urlsplit(own_servers.postgres["two"].superuser_url)
    base = urlsplit(apart.databases["two"].url.get_secret_value()).path

    async def lose_log() -> None:
        async with connected(SecretStr(target._replace(path=base).geturl())) as connection:
            name = await connection.fetchval("select subname from pg_subscription")
            await connection.execute(f"alter subscription {name} disable")
            await wait_until(lambda: _has_no_worker(connection), what="nothing copies")
        async with connected(SecretStr(own_servers.postgres["one"].superuser_url)) as source:
            await source.execute("alter system set max_slot_wal_keep_size = '1MB'")
            await source.execute("select pg_reload_conf()")
            await wait_until(lambda: _is_lost(source, name), 20, "the copy's log is gone")
            await source.execute("alter system reset max_slot_wal_keep_size")
            await source.execute("select pg_reload_conf()")

    await _assert_all_move(apart, players, moving.strike(monkeypatch, "while it is copied", lose_log))


async def _is_lost(source: asyncpg.Connection, name: str) -> bool:
    for statement in ("select pg_logical_emit_message(true, '', '')", "select pg_switch_wal()", "checkpoint"):
        await source.execute(statement)
    query = "select coalesce(bool_and(wal_status = 'lost'), true) from pg_replication_slots where slot_name = $1"
    return bool(await source.fetchval(query, name))


async def _has_no_worker(connection: asyncpg.Connection) -> bool:
    query = "select not exists (select from pg_stat_subscription where pid is not null)"
    return bool(await connection.fetchval(query))


async def test_a_cancelled_move_ends_although_its_target_is_gone_and_its_slots_can_be_moved_elsewhere(
    apart: Core, own_servers: Servers
) -> None:
    player = await enlist(apart, database="one")
    moves, target = apart.sharding, own_servers.postgres["two"]
    plans = await sharding.plan_move(moves, "players", moving.slot_with([player]), "two")
    (made,) = await sharding.begin(moves, plans)
    target.kill()
    try:
        carried = asyncio.create_task(sharding.carry_out(moves, [made], lambda _: None))
        await moves.moves.cancel(made)
        await asyncio.wait_for(carried, 20)
        ended = await moves.moves.find(made)
        assert ended.at(SlotStep.KEPT) == moving.slot_with([player])
        assert "drop the subscription" in str(ended.problem)
        assert (await moving.insist(apart, player.id, "hunt")).player.version == 2
    finally:
        await target.start()
    await wait_until(lambda: _is_back(apart), what="the target answers again")
    await moving.move(apart, moving.slot_with([player]), "two")
    await moving.assert_settled(apart)


async def _is_back(core: Core) -> bool:
    try:
        return await migrations.current(core.databases["two"], "players") is not None
    except Unavailable:
        return False


async def _start_later(server: PostgresServer) -> None:
    await asyncio.sleep(0.5)
    await server.start()


async def test_while_the_control_database_is_away_players_sign_up_and_play_and_moves_wait(own_servers: Servers) -> None:
    database = await own_servers.bare()
    group = GroupSettings(databases=("one",), slots=SLOTS)
    settings = own_servers.settings(
        database, control=ControlSettings(database="two"), groups={"accounts": group, "players": group}
    )
    await provision.migrate(settings)
    async with working(settings) as core:
        map_follower = asyncio.create_task(core.slots.run())
        before = await enlist(core)
        own_servers.postgres["two"].kill()
        try:
            after = await enlist(core)
            for player in (before, after):
                assert (await moving.insist(core, player.id, "hunt")).player.version == 2
            with pytest.raises(DatabaseUnavailable):
                await core.sharding.moves.unfinished()
        finally:
            await own_servers.postgres["two"].start()
        await wait_until(lambda: _answers(core), what="moves can be asked for again")
        assert (await moving.insist(core, before.id, "hunt")).player.version == 3
        map_follower.cancel()
        await asyncio.wait([map_follower])
    own_servers.drop(database)


async def _answers(core: Core) -> bool:
    try:
        return await core.sharding.moves.unfinished() == []
    except DatabaseUnavailable:
        return False
