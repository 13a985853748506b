"""Old partitions of the ledger are dropped while players play, and what must outlive them is kept."""

import asyncio
import secrets
from datetime import UTC, datetime, timedelta

import pytest

from gameserver.app import Core
from gameserver.commands import identity
from gameserver.commands.accounts import Application
from gameserver.commands.devices import devices
from gameserver.commands.sign_in import sign_in_by_device
from gameserver.commands.sign_up import enroll
from gameserver.rules.errors import DeviceTaken
from gameserver.rules.player import Player
from gameserver.storage.ledger.history import History
from gameserver.storage.ledger.partitions import ensure_partitions
from gameserver.storage.ledger.retention import forget_old
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.locks import FORGETTING
from gameserver.storage.sessions.store import Origin
from gameserver.upkeep import loops
from tests.support.client import command_id
from tests.support.deployment import act, connected, enlist

LATER = timedelta(weeks=2)
BACK = timedelta(weeks=9)


def now() -> datetime:
    return datetime.now(UTC)


async def partitions(database: Database) -> list[str]:
    async with connected(database.url) as connection:
        rows = await connection.fetch("select relname from pg_class where relname ~ '^ledger_[0-9]{8}$' order by 1")
        return [row["relname"] for row in rows]


@pytest.fixture
async def one(core: Core) -> Database:
    return core.databases["one"]


async def drop_present(core: Core) -> None:
    """Drops the partitions that have rows, and makes those of the present again."""
    for database in core.slots.members("players"):
        assert await forget_old(database, now() + LATER) >= 1
        await ensure_partitions(database, now(), timedelta(days=2))


async def test_only_partitions_that_ended_before_the_moment_are_dropped(one: Database) -> None:
    before = await partitions(one)
    await ensure_partitions(one, now(), BACK)
    made = await partitions(one)
    old = now() - timedelta(days=30)
    assert await forget_old(one, old) > 0
    left = await partitions(one)
    assert set(before) <= set(left) < set(made)
    week = timedelta(weeks=1)
    assert all(datetime.strptime(f"{name}+0000", "ledger_%Y%m%d%z") + week > old for name in left)
    assert await forget_old(one, old) == 0


async def test_the_last_state_and_the_sign_up_outlive_their_partition(core: Core) -> None:
    player = await enlist(core, database="one")
    for _ in range(3):
        await act(core, player.id, "hunt", foe="slime")
    history = History(core.slots)
    before = await history.page(player.id, 10, None)
    await drop_present(core)
    assert await history.page(player.id, 10, None) == [before[0], before[-1]]
    await act(core, player.id, "hunt", foe="slime")
    after = await history.page(player.id, 10, None)
    assert after[1:] == [before[0], before[-1]]
    assert await history.page(player.id, 1, after[0].command_id) == [before[0]]
    await drop_present(core)
    assert await history.page(player.id, 10, None) == [after[0], before[-1]]


async def test_a_device_stays_its_players_and_is_free_once_that_is_deleted(core: Core) -> None:
    accounts = core.commands.accounts
    device = secrets.token_hex(16)
    birth, _ = await enroll(accounts, Application("Old Hand", "warrior", device=device), command_id())
    await drop_present(core)
    assert (await sign_in_by_device(accounts, device)).player.id == birth.player.id
    assert [entry.added_at for entry in await devices(accounts, birth.player.id)] == [birth.player.created_at]
    again = Application("New Hand", "warrior", device=device)
    with pytest.raises(DeviceTaken):
        await enroll(accounts, again, command_id())
    await remove(core, birth.player)
    made, _ = await enroll(accounts, again, command_id())
    assert made.player.id != birth.player.id


async def remove(core: Core, player: Player) -> None:
    token, _ = await core.rooms.sessions.open(player.id, 0, Origin("", ""))
    await identity.delete(core.commands.accounts, token, command_id())


async def test_players_play_on_while_partitions_are_dropped(core: Core, one: Database) -> None:
    players = [await enlist(core, database="one") for _ in range(4)]
    await ensure_partitions(one, now(), BACK)

    async def play(player: Player) -> int:
        for number in range(1000):
            await act(core, player.id, "hunt", foe="slime")
            if dropping.done():
                return number
        return 1000

    dropping = asyncio.create_task(forget_old(one, now() - timedelta(days=30)))
    played = await asyncio.gather(*map(play, players))
    assert await dropping > 0
    assert min(played) > 0


async def test_a_run_that_was_killed_is_gone_on_with(one: Database) -> None:
    await ensure_partitions(one, now(), BACK)
    first = (await partitions(one))[0]
    async with connected(one.url) as connection:
        await connection.execute(f"alter table ledger detach partition {first} concurrently")
    assert await forget_old(one, now() - timedelta(days=30)) > 0
    assert first not in await partitions(one)


async def test_nothing_is_dropped_beside_another_node_or_a_move(one: Database) -> None:
    await ensure_partitions(one, now(), BACK)
    old = now() - timedelta(days=30)
    async with connected(one.url) as connection:
        await connection.execute("select pg_advisory_lock($1)", FORGETTING)
        assert await forget_old(one, old) == 0
    async with connected(one.url) as connection:
        await connection.execute("create publication gs_test_move_1 for table players")
        assert await forget_old(one, old) == 0
        await connection.execute("drop publication gs_test_move_1")
    assert await forget_old(one, old) > 0


async def test_what_a_letter_under_way_may_need_stays(core: Core, one: Database) -> None:
    for database in core.slots.members("players"):
        await ensure_partitions(database, now(), BACK)
    player = await enlist(core, database="two")
    policy, keep = core.commands.accounts.policy, timedelta(days=30).total_seconds()
    async with connected(core.databases["two"].url) as connection:
        await connection.execute(
            "insert into outbox (slot, player_id, command_id, number, kind, recipient, payload, at)"
            " values ($1, $2, $3, 0, 'gift', $2, '{}', now() - interval '70 days')",
            player.id >> 10 & 4095,
            player.id,
            command_id(),
        )
        assert await loops.forget_old_ledger(policy, core.slots.members("players"), keep) == 0
        await connection.execute("delete from outbox")
    assert await loops.forget_old_ledger(policy, core.slots.members("players"), keep) > 0
