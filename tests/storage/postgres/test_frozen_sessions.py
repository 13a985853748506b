"""Sessions of processes that freeze at any moment, also between the messages of one statement, lose their locks."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from gameserver.app import Core
from gameserver.rules.errors import DatabaseUnavailable
from gameserver.storage.boards import follower
from gameserver.storage.ledger import periods, retention
from gameserver.storage.mail import courier
from gameserver.storage.operators import exports, rule_editions
from gameserver.storage.players.gathering import SQL as BATCH
from gameserver.storage.postgres import frozen_sessions, locks, own_settings, patience, sole_locks
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.driver import CommitUnsure, DriverConnection
from gameserver.storage.postgres.faults import LOST, translated
from gameserver.storage.postgres.frozen_sessions import FrozenSessions
from gameserver.storage.postgres.sole_locks import SoleLock, fenced_alone
from gameserver.storage.sharding import comparing, copying, cutover
from gameserver.storage.slots import shared_writes
from gameserver.waiting import cancel_and_wait
from tests.storage.sharding import moving
from tests.support.deployment import act, enlist, move_slot
from tests.support.wait import wait_until

SOLE = ("FOLLOWING", "CARRYING", "CLOSING", "SENDING", "RECONCILING", "FORGETTING")
SHORT = {patience.TRANSACTION: "300"}
FOR_EVER = {patience.TRANSACTION: "0", "idle_in_transaction_session_timeout": "0", "idle_session_timeout": "0"}
"""As Postgres 16, which doesn't know the first one."""
PURPOSES: Mapping[str, Mapping[str, str]] = {
    "anything": {},
    "pools": patience.POOLED,
    "fencing": patience.FENCING,
    "unhurried reads": patience.UNHURRIED_READS,
    "followers": follower.SETTINGS,
    "couriers": courier.SETTINGS,
    "shared writes": shared_writes.SETTINGS,
    "retention": retention.SETTINGS,
    "periods": periods.SETTINGS,
    "exports": exports.SETTINGS,
    "rule editions": rule_editions.SETTINGS,
    "moves": copying.PATIENT,
    "reconciling": comparing.PATIENCE,
}


@pytest.fixture
async def one(core: Core) -> Database:
    return core.databases["one"]


@asynccontextmanager
async def session(database: Database, settings: Mapping[str, str]) -> AsyncIterator[DriverConnection]:
    connection = await database.connect(settings)
    try:
        yield connection
    finally:
        connection.terminate()


async def freeze(connection: asyncpg.Connection) -> None:
    """Postgres has parsed a statement, and waits for its arguments."""
    await connection.prepare("select $1::int")


@pytest.mark.parametrize("purpose", PURPOSES)
async def test_every_session_is_ended_some_time_when_it_stands_still_in_a_transaction(
    one: Database, purpose: str
) -> None:
    async with session(one, PURPOSES[purpose]) as connection:
        for name in (patience.TRANSACTION, "idle_in_transaction_session_timeout"):
            milliseconds = await connection.fetchval("select setting::int from pg_settings where name = $1", name)
            assert milliseconds > 0, name


async def test_who_is_frozen_while_it_is_sent_a_result_loses_its_lock(one: Database) -> None:
    async with session(one, {**FOR_EVER, "tcp_user_timeout": "1000"}) as frozen, session(one, {}) as other:
        assert await SoleLock(locks.FOLLOWING).take(frozen)
        frozen._transport.pause_reading()
        loading = asyncio.create_task(frozen.execute("select repeat('x', 1000) from generate_series(1, 100000)"))
        await wait_until(lambda: SoleLock(locks.FOLLOWING).take(other), 30, "the lock is free")
        loading.cancel()
        await asyncio.wait([loading])


def test_what_is_said_of_patience_are_time_outs_alone_and_exports_have_those_of_reads_that_wait_for_others() -> None:
    purposes = {name: value for name, value in vars(patience).items() if isinstance(value, dict) and name.isupper()}
    assert set(purposes) == {"LONGEST", "POOLED", "UNHURRIED", "UNHURRIED_READS", "FENCING"}
    assert {key for settings in purposes.values() for key in settings if not key.endswith("_timeout")} == set()
    assert own_settings.EVERYWHERE.items() >= patience.LONGEST.items()
    assert exports.SETTINGS.items() >= patience.UNHURRIED_READS.items()


async def test_migrations_may_take_as_long_as_they_need(one: Database) -> None:
    async with session(one, patience.UNHURRIED) as connection:
        assert await connection.fetchval(f"show {patience.TRANSACTION}") == "0"


async def test_a_server_that_doesnt_know_the_time_out_isnt_asked_for_it(
    one: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "TRANSACTION_SINCE", 1_000)
    async with session(one, SHORT) as connection:
        assert await connection.fetchval(f"show {patience.TRANSACTION}") == "0"


@pytest.mark.parametrize("name", SOLE)
async def test_who_is_frozen_amid_a_statement_loses_the_lock_to_the_next_one_on_any_server(
    one: Database, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(sole_locks, "FROZEN", timedelta(seconds=0.2))
    monkeypatch.setattr(sole_locks, "LOOK_SECONDS", 0.0)
    number = getattr(locks, name)
    async with session(one, FOR_EVER) as frozen, session(one, {}) as other:
        assert await SoleLock(number).take(frozen)
        await freeze(frozen)
        mine = SoleLock(number)
        await wait_until(lambda: mine.take(other), 20, "the lock is free")
        with pytest.raises(LOST):
            await frozen.fetchval("select 1")


@pytest.mark.parametrize("work", ["select 1", "select pg_sleep(0.6)"])
async def test_who_works_or_rests_keeps_the_lock(one: Database, monkeypatch: pytest.MonkeyPatch, work: str) -> None:
    monkeypatch.setattr(sole_locks, "FROZEN", timedelta(seconds=0.2))
    monkeypatch.setattr(sole_locks, "LOOK_SECONDS", 0.0)
    async with session(one, FOR_EVER) as holder, session(one, {}) as other:
        assert await SoleLock(locks.CARRYING).take(holder)
        working = asyncio.create_task(holder.execute(work))
        await asyncio.sleep(0.4)
        assert not await SoleLock(locks.CARRYING).take(other)
        await working
        assert await holder.fetchval("select 1") == 1


@pytest.mark.parametrize(
    "lock",
    [f"select pg_advisory_xact_lock_shared({fence})" for fence in locks.FENCES.values()]
    + [f"select pg_advisory_xact_lock({fence})" for fence in locks.FENCES.values()]
    + [f"select pg_advisory_xact_lock({number})" for number in (locks.MAKING_PARTITIONS, locks.CHANGING_KEYS)]
    + ["select from players for update"],
)
async def test_locks_of_a_transaction_are_free_after_its_time(one: Database, core: Core, lock: str) -> None:
    await enlist(core, database="one")
    async with session(one, {**FOR_EVER, **SHORT}) as frozen, session(one, {"lock_timeout": "20s"}) as other:
        await frozen.execute(f"begin; {lock}")
        await freeze(frozen)
        await other.execute(lock.replace("_shared", ""), timeout=30)


@pytest.mark.parametrize("fence", locks.FENCES.values())
async def test_who_wants_a_fence_alone_ends_whoever_is_frozen_with_it_on_any_server(
    one: Database, monkeypatch: pytest.MonkeyPatch, fence: int
) -> None:
    monkeypatch.setattr(sole_locks, "FROZEN", timedelta(seconds=0.2))
    async with session(one, FOR_EVER) as frozen, session(one, {}) as other:
        await frozen.execute(f"begin; select pg_advisory_xact_lock_shared({fence})")
        await freeze(frozen)

        async def has_it() -> bool:
            try:
                async with fenced_alone(other, fence, 300):
                    return True
            except asyncpg.LockNotAvailableError:
                return False

        await wait_until(has_it, 20, "the fence is free")


@asynccontextmanager
async def looking(core: Core) -> AsyncIterator[None]:
    """A node of these databases looks for frozen sessions."""
    looking = asyncio.create_task(FrozenSessions(core.databases).run())
    try:
        yield
    finally:
        await cancel_and_wait([looking])


@pytest.fixture
def before_17(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every server counts as one that ends no transaction, and sessions freeze sooner."""
    monkeypatch.setattr(patience, "TRANSACTION_SINCE", 1_000)
    monkeypatch.setattr(frozen_sessions, "FROZEN", timedelta(seconds=0.5))
    monkeypatch.setattr(frozen_sessions, "LOOK_SECONDS", 0.1)


@pytest.mark.usefixtures("before_17")
async def test_nodes_end_whoever_is_frozen_amid_a_statement_where_the_server_cant(core: Core, one: Database) -> None:
    await enlist(core, database="one")
    async with session(one, FOR_EVER) as frozen, session(one, {"lock_timeout": "20s"}) as other, looking(core):
        await frozen.execute("begin; select from players for update")
        await freeze(frozen)
        await other.execute("select from players for update", timeout=30)
        with pytest.raises(LOST):
            await frozen.fetchval("select 1")


@pytest.mark.usefixtures("before_17")
@pytest.mark.parametrize("work", ["select pg_sleep(1.5)", "begin", "begin; select pg_sleep(1)"])
async def test_who_works_or_rests_isnt_ended(core: Core, one: Database, work: str) -> None:
    async with session(one, FOR_EVER) as holder, session(one, FOR_EVER) as frozen, looking(core):
        await holder.execute(work)
        await freeze(frozen)
        await wait_until(frozen.is_closed, 20, "whoever is frozen is ended")
        assert await holder.fetchval("select 1") == 1


@pytest.mark.usefixtures("before_17")
async def test_who_copies_rows_slowly_isnt_ended(core: Core, one: Database) -> None:
    async with session(one, FOR_EVER) as copying, session(one, FOR_EVER) as frozen, looking(core):
        await copying.execute("create temp table copied (number int)")

        async def rows() -> AsyncIterator[tuple[int]]:
            yield (1,)
            await freeze(frozen)
            await wait_until(frozen.is_closed, 20, "whoever is frozen is ended")
            yield (2,)

        await copying.copy_records_to_table("copied", records=rows())
        assert await copying.fetchval("select count(*) from copied") == 2


@pytest.mark.usefixtures("before_17")
async def test_a_stranger_on_the_same_server_isnt_ended(core: Core, one: Database) -> None:
    stranger = {**FOR_EVER, "application_name": "a report"}
    async with session(one, stranger) as other, session(one, FOR_EVER) as frozen, looking(core):
        for each in (other, frozen):
            await freeze(each)
        await wait_until(frozen.is_closed, 20, "whoever is frozen is ended")
        assert await other.fetchval("select 1") == 1


async def test_a_server_that_ends_transactions_itself_is_asked_once(
    core: Core, one: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = FrozenSessions(core.databases)
    async with one.transaction():
        pass  # so that its pool has a connection, which was bounded as the server can
    monkeypatch.setattr(patience, "TRANSACTION_SINCE", 1)
    assert await frozen_sessions.end_standing(one) is None
    await looks._look(one)
    monkeypatch.delattr(frozen_sessions, "end_standing")
    await looks._look(one)


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The statements that are parsed amid a transaction from now on."""
    amid: list[str] = []
    ask = DriverConnection._get_statement

    async def noted(self: DriverConnection, query: str, timeout: Any, **options: Any) -> Any:
        kept = self._stmt_cache.get((query, self._protocol.get_record_class(), False))
        if self.is_in_transaction() and kept is None:
            amid.append(query)
        return await ask(self, query, timeout, **options)

    monkeypatch.setattr(DriverConnection, "_get_statement", noted)
    return amid


async def test_what_each_batch_needs_is_parsed_before_its_first_transaction(core: Core, parsed: list[str]) -> None:
    player = await enlist(core)
    await act(core, player.id)
    assert parsed, "the fixture notices what is parsed amid a transaction"
    assert not {BATCH["gather"], BATCH["write"]} & set(parsed)


async def test_nothing_is_parsed_while_a_move_holds_the_fence_alone(core: Core, parsed: list[str]) -> None:
    player = await enlist(core, database="one")
    await moving.move(core, moving.slot_with([player]), "two")
    taken = {cutover.TAKE.format(group="players"), cutover.MARK.format(group="players")}
    assert not taken & set(parsed)
    assert sole_locks.SQL["fence"] not in parsed


async def test_nothing_is_parsed_while_a_season_ends_under_the_fence(core: Core, parsed: list[str]) -> None:
    await core.rooms.seasons.end.fence("exp", 1)
    assert parsed == []


async def test_a_transaction_whose_time_is_over_is_a_database_that_is_away(one: Database) -> None:
    async with session(one, SHORT) as connection:
        await connection.execute("begin")
        with pytest.raises(DatabaseUnavailable), translated("one"):
            await connection.execute("select pg_sleep(5)")


async def test_a_commit_that_is_answered_by_the_end_of_its_time_is_unsure(
    one: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ended(*_: object, **__: object) -> str:
        raise asyncpg.exceptions.TransactionTimeoutError("terminating connection due to transaction timeout")

    async with session(one, {}) as connection:
        monkeypatch.setattr(asyncpg.Connection, "execute", ended)
        with pytest.raises(CommitUnsure):
            await connection.execute("commit")


async def test_a_slot_moves_beside_a_frozen_batch_of_another_node(core: Core, one: Database) -> None:
    player = await enlist(core, database="one")
    async with session(one, {**FOR_EVER, patience.TRANSACTION: "1000"}) as frozen:
        await frozen.execute(
            f"begin; select pg_advisory_xact_lock_shared({locks.FENCES['players']}); select from players for update"
        )
        await freeze(frozen)
        await move_slot(core, moving.slot_with([player])[0], "two")
        assert (await act(core, player.id)).player.version == 2
