"""Old partitions of the ledger are dropped while players play, and what must outlive them is kept."""

import asyncio
import contextlib
import secrets
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from gameserver.app import Core
from gameserver.commands import boards, identity
from gameserver.commands.accounts import Application
from gameserver.commands.devices import devices
from gameserver.commands.sign_in import sign_in_by_device
from gameserver.commands.sign_up import enroll
from gameserver.rules.errors import BoardUnavailable, CommandExpired, DeviceTaken
from gameserver.rules.player import Player
from gameserver.storage.ids import new_command_id
from gameserver.storage.ledger import retention
from gameserver.storage.ledger.history import History
from gameserver.storage.ledger.partitions import end_of, ensure_partitions
from gameserver.storage.ledger.retention import SQL, RetentionTerms, forget_old
from gameserver.storage.postgres import sole_locks
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.driver import DriverConnection
from gameserver.storage.postgres.locks import FORGETTING
from gameserver.storage.sessions.store import Origin
from gameserver.storage.sharding import copying
from gameserver.storage.sharding.move import SlotStep, Step
from gameserver.telemetry import LEDGER_WEEKS_OVERDUE
from tests.storage.sharding import moving
from tests.support.client import command_id
from tests.support.deployment import act, connected, enlist, following
from tests.support.wait import wait_until

BACK = timedelta(weeks=9)
MONTH = timedelta(days=30)


def now() -> datetime:
    return datetime.now(UTC)


async def partitions(database: Database) -> list[str]:
    async with connected(database.url) as connection:
        rows = await connection.fetch("select relname from pg_class where relname ~ '^ledger_[0-9]{8}$' order by 1")
        return [row["relname"] for row in rows]


def kept(keep: timedelta = MONTH) -> RetentionTerms:
    return RetentionTerms(keep, now())


@pytest.fixture
async def one(core: Core) -> Database:
    return core.databases["one"]


async def drop_present(core: Core) -> None:
    """Drops the partitions that have rows, and makes those of the present again."""
    for database in core.slots.members("players"):
        assert await forget_old(database, kept(timedelta(weeks=-2))) >= 1
        await ensure_partitions(database, now(), timedelta(days=2))


async def test_only_partitions_that_ended_before_the_moment_are_dropped(one: Database) -> None:
    before = await partitions(one)
    await ensure_partitions(one, now(), BACK)
    made = await partitions(one)
    assert await forget_old(one, kept()) > 0
    left = await partitions(one)
    assert set(before) <= set(left) < set(made)
    week = timedelta(weeks=1)
    assert all(datetime.strptime(f"{name}+0000", "ledger_%Y%m%d%z") + week > now() - MONTH for name in left)
    assert await forget_old(one, kept()) == 0


async def test_the_last_state_and_the_sign_up_outlive_their_partition(core: Core) -> None:
    player = await enlist(core, database="one")
    for _ in range(3):
        await act(core, player.id, "hunt", foe="slime")
    history = History(core.slots)
    before = (await history.page(player.id, 10, None)).rows
    await drop_present(core)
    assert (await history.page(player.id, 10, None)).rows == [before[0], before[-1]]
    await act(core, player.id, "hunt", foe="slime")
    after = (await history.page(player.id, 10, None)).rows
    assert after[1:] == [before[0], before[-1]]
    assert (await history.page(player.id, 1, after[0].command_id)).rows == [before[0]]
    await drop_present(core)
    assert (await history.page(player.id, 10, None)).rows == [after[0], before[-1]]


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

    async with moving.playing(core, players) as receipts:
        assert await forget_old(one, kept()) > 0
    assert all(receipts.values())


@pytest.mark.parametrize("step", ["kept", "pending", "detached"])
async def test_a_run_that_was_killed_is_gone_on_with(one: Database, step: str) -> None:
    await ensure_partitions(one, now(), BACK)
    first = (await partitions(one))[0]
    async with connected(one.url) as connection, connected(one.url) as reader:
        reading = reader.transaction()
        await reading.start()
        if step == "pending":
            await reader.fetch(f"select from {first} limit 1")
        await connection.execute("set lock_timeout = '50ms'")
        if step != "kept":
            with contextlib.suppress(asyncpg.LockNotAvailableError):
                await connection.execute(f"alter table ledger detach partition {first} concurrently")
        (state,) = [row["state"] for row in await connection.fetch(SQL["partitions"]) if row["name"] == first]
        assert state == {"kept": "attached"}.get(step, step)
        await reading.rollback()
    assert await forget_old(one, kept()) > 0
    assert first not in await partitions(one)


async def test_an_operators_tables_hold_up_no_week_and_stay_whatever_their_names(one: Database) -> None:
    await ensure_partitions(one, now(), BACK)
    own = ["ledger_20200106", "ledger_20200107", "ledger_99999999"]  # a Monday's, a Tuesday's, and no date
    async with connected(one.url) as connection:
        for name in own:
            await connection.execute(f"create table {name} (copied int)")
    assert await forget_old(one, kept()) > 0
    assert set(own) < set(await partitions(one))
    async with connected(one.url) as connection:
        assert [row["name"] for row in await retention.weeks_before(connection, now() - MONTH)] == []


@pytest.mark.parametrize(
    ("made", "undone", "told"),
    [
        ("create view report as select count(*) from {}", "drop view report", "view report depends on table {}"),
        ("create table ledger_rest partition of ledger default", "drop table ledger_rest", "default partition"),
    ],
)
async def test_what_an_operator_has_made_of_a_week_holds_it_up_with_the_reason(
    one: Database, capsys: pytest.CaptureFixture[str], made: str, undone: str, told: str
) -> None:
    await ensure_partitions(one, now(), BACK)
    first = (await partitions(one))[0]
    async with connected(one.url) as connection:
        await connection.execute(made.format(first))
        capsys.readouterr()
        assert await forget_old(one, kept()) == 0
        assert told.format(first) in capsys.readouterr().out
        assert LEDGER_WEEKS_OVERDUE.labels(one.name)._value.get() > 0
        await connection.execute(undone)
    assert await forget_old(one, kept()) > 0
    assert first not in await partitions(one)
    assert LEDGER_WEEKS_OVERDUE.labels(one.name)._value.get() == 0


async def test_of_two_nodes_at_once_one_drops_each_week(one: Database) -> None:
    await ensure_partitions(one, now(), BACK)
    before = await partitions(one)
    dropped = await asyncio.gather(*(forget_old(one, kept()) for _ in range(3)))
    assert sorted(dropped)[:2] == [0, 0]
    assert sum(dropped) == len(before) - len(await partitions(one)) > 0


async def test_a_nodes_clock_that_is_ahead_drops_nothing_and_one_behind_waits(one: Database) -> None:
    await ensure_partitions(one, now(), BACK)
    before = await partitions(one)
    assert await forget_old(one, RetentionTerms(MONTH, now() - timedelta(weeks=9))) == 0
    await forget_old(one, RetentionTerms(MONTH, now() + timedelta(weeks=9)))
    left = await partitions(one)
    assert set(left) < set(before)
    assert all(end_of(name) > now() - MONTH for name in left)


async def test_a_retry_gets_its_first_answer_and_an_id_of_a_dropped_week_is_refused(core: Core) -> None:
    player = await enlist(core, database="one")
    key = command_id()
    first = await act(core, player.id, "hunt", key, foe="slime")
    old = new_command_id(int((now() - timedelta(days=45)).timestamp() * 1000))
    await ensure_partitions(core.databases["one"], now(), BACK)
    for _ in range(2):
        with pytest.raises(CommandExpired):
            await act(core, player.id, "hunt", old, foe="slime")
        again = await act(core, player.id, "hunt", key, foe="slime")
        assert (again.replayed, again.player) == (True, first.player)
        await forget_old(core.databases["one"], kept())
    with pytest.raises(CommandExpired):
        await enroll(core.commands.accounts, Application("Old One", "mage", device=secrets.token_hex(16)), old)


async def test_a_follower_that_was_away_still_learns_who_changed_in_a_dropped_week(core: Core) -> None:
    player, other = await enlist(core, database="one"), await enlist(core, database="one")
    async with following(core):
        await wait_until(lambda: shows(core, {player.id: 0, other.id: 0}), 10, "the board has both")
    after = [(await act(core, player.id, "hunt", foe="slime")).player.exp for _ in range(3)][-1]
    await drop_present(core)
    async with following(core):
        await wait_until(lambda: shows(core, {player.id: after, other.id: 0}), 10, "the board has what was missed")


async def shows(core: Core, exp: dict[int, int]) -> bool:
    with contextlib.suppress(BoardUnavailable):
        page = (await boards.top(core.commands.leaderboards, "exp", boards.CURRENT, 100, None)).page
        return exp.items() <= {place.player_id: place.score for place in page.standings}.items()
    return False


async def test_a_move_that_begins_is_waited_for_and_loses_nothing(core: Core, one: Database) -> None:
    players = [await enlist(core, database="one") for _ in range(2)]
    for database in core.slots.members("players"):
        await ensure_partitions(database, now(), BACK)
    slots, stop = moving.slot_with(players), asyncio.Event()

    async def drop() -> int:
        dropped = 0
        while not stop.is_set():
            for database in core.slots.members("players"):
                dropped += await forget_old(database, kept(timedelta(weeks=-2)))
                await ensure_partitions(database, now(), timedelta(days=2))
        return dropped

    dropping = asyncio.create_task(drop())
    record = await moving.move(core, slots, "two")
    stop.set()
    await dropping
    assert (record.step, [slot.step for slot in record.slots]) == (Step.DONE, [SlotStep.MOVED] * len(slots))
    await moving.assert_settled(core)
    for player in players:
        assert [entry.action for entry in (await History(core.slots).page(player.id, 10, None)).rows] == ["sign_up"]


async def test_a_move_that_waits_is_let_through_before_the_next_chunk(one: Database) -> None:
    await ensure_partitions(one, now(), BACK)
    async with connected(one.url) as mover, connected(one.url) as holder:
        await holder.execute("select pg_advisory_lock($1)", FORGETTING)
        waiting = asyncio.create_task(mover.execute("select pg_advisory_lock_shared($1)", FORGETTING))
        await wait_until(lambda: holder.fetchval(SQL["awaited"], FORGETTING), 10, "the mover waits")
        assert await retention._keep(holder, (await partitions(one))[0]) is None
        await holder.execute("select pg_advisory_unlock($1)", FORGETTING)
        await waiting


async def stand_still(frozen: DriverConnection, amid: str) -> None:
    """The last thing that a session does; what ends it where it stands is set here, and so for no earlier moment."""
    if amid == "a statement":
        # Postgres has the statement, and waits for its arguments.
        await frozen.prepare("select $1::int")
    elif amid == "begin":
        await frozen.execute("begin; set local idle_in_transaction_session_timeout = 200")
    else:
        await frozen.execute("set idle_session_timeout = 200")


@pytest.mark.parametrize("amid", ["", "begin", "a statement"])
async def test_a_node_that_is_frozen_while_it_drops_holds_up_no_move(
    one: Database, monkeypatch: pytest.MonkeyPatch, amid: str
) -> None:
    monkeypatch.setitem(copying.PATIENT, "lock_timeout", "300")
    monkeypatch.setattr(sole_locks, "FROZEN", timedelta(seconds=0.2))
    async with retention._alone(one) as frozen, copying.opened(one) as mover:
        assert frozen is not None
        await stand_still(frozen, amid)
        async with retention.kept_whole(mover):
            pass  # it has the lock


@pytest.mark.parametrize("amid", ["", "begin", "a statement"])
async def test_another_node_drops_what_one_that_is_frozen_doesnt(
    one: Database, monkeypatch: pytest.MonkeyPatch, amid: str
) -> None:
    monkeypatch.setattr(sole_locks, "FROZEN", timedelta(seconds=0.2))
    await ensure_partitions(one, now(), BACK)
    async with retention._alone(one) as frozen:
        assert frozen is not None
        await stand_still(frozen, amid)

        async def drops() -> bool:
            return await forget_old(one, kept()) > 0

        await wait_until(drops, 20, "another node drops old weeks")


async def test_a_node_that_drops_and_isnt_frozen_keeps_its_lock(one: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(copying.PATIENT, "lock_timeout", "300")
    async with retention._alone(one) as dropping, copying.opened(one) as mover:
        assert dropping is not None
        with pytest.raises(asyncpg.LockNotAvailableError):
            async with retention.kept_whole(mover):
                pass
        assert await dropping.fetchval("select 1") == 1


async def test_nothing_is_dropped_beside_another_node_or_a_move(one: Database) -> None:
    await ensure_partitions(one, now(), BACK)
    async with connected(one.url) as connection:
        await connection.execute("select pg_advisory_lock($1)", FORGETTING)
        assert await forget_old(one, kept()) == 0
    async with connected(one.url) as connection:
        await connection.execute("create publication gs_test_move_1 for table players")
        assert await forget_old(one, kept()) == 0
        await connection.execute("drop publication gs_test_move_1")
    assert await forget_old(one, kept()) > 0
