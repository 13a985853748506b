"""What a command comes to when its transaction is lost: applied once, or not at all, and the caller is told which."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import asyncpg
import pytest
from prometheus_client import REGISTRY
from sqlalchemy import text

from gameserver import app as application
from gameserver.app import Core
from gameserver.config.sections import WriteSettings
from gameserver.config.settings import Settings
from gameserver.rules.errors import DatabaseUnavailable, OutcomeUnknown, Overloaded, Unavailable
from gameserver.storage.players.batch import Batch
from gameserver.storage.players.command import Command, Receipt
from gameserver.storage.players.committer import Committer, GiveBack
from gameserver.storage.players.pending import CommitLimits, Pending
from gameserver.storage.players.routing import Router
from gameserver.storage.postgres import patience
from gameserver.storage.postgres.database import Database
from gameserver.waiting import cancel_and_wait
from tests.support.client import command_id
from tests.support.deployment import (
    FENCE,
    act,
    assert_ledger_explains,
    connected,
    enlist,
    ledger,
    order,
    superuser,
    working,
)
from tests.support.servers import Servers
from tests.support.standby import backend_in, missing_standby
from tests.support.wait import wait_until

SLEEP = "create function doze() returns trigger language plpgsql as 'begin perform pg_sleep(0.3); return new; end';"
BEFORE_COMMIT = SLEEP + "create trigger doze before insert on ledger for each row execute function doze()"
AT_COMMIT = (
    SLEEP
    + """create constraint trigger doze after update on players deferrable initially deferred
    for each row execute function doze()"""
)


@pytest.mark.parametrize("moment", [BEFORE_COMMIT, AT_COMMIT], ids=["before", "at"])
async def test_a_command_whose_connection_is_killed_before_its_commit_is_applied_once(
    servers: Servers, core: Core, moment: str
) -> None:
    player = await enlist(core, database="one")
    async with superuser(servers, core, "one") as killer:
        await killer.execute(moment)
        outcomes = asyncio.create_task(act(core, player.id))
        await killer.execute("select pg_terminate_backend($1)", await backend_in(killer, "PgSleep"))
        receipt = await outcomes
    assert (receipt.replayed, receipt.player.version) == (False, 2)
    assert len(await assert_ledger_explains(core, player.id)) == 2


@pytest.mark.parametrize("blow", ["pg_terminate_backend", "pg_cancel_backend"])
async def test_a_commit_whose_wait_for_its_standby_ends_early_is_told_only_when_the_standby_has_it(
    servers: Servers, core: Core, blow: str
) -> None:
    """The first transaction has committed, unknown to the node; cancelling its wait gives no more than a warning."""
    player = await enlist(core, database="one")
    async with superuser(servers, core, "one") as killer, missing_standby(servers, core) as arrive:
        outcomes = asyncio.create_task(act(core, player.id))
        first = await backend_in(killer, "SyncRep")
        await killer.execute(f"select {blow}($1)", first)
        await backend_in(killer, "SyncRep", other_than=first)
        assert not outcomes.done()
        await arrive()
        receipt = await outcomes
    assert (receipt.replayed, receipt.player.version) == (True, 2)
    assert len(await assert_ledger_explains(core, player.id)) == 2


async def test_a_commit_that_isnt_sure_by_the_deadline_is_told_as_unknown_and_a_retry_learns_it(
    servers: Servers, settings: Settings
) -> None:
    quick = settings.model_copy(update={"writes": WriteSettings(deadline_seconds=0.5, transaction_seconds=0.3)})
    async with working(quick) as core:
        player, key = await enlist(core, database="one"), command_id()
        async with missing_standby(servers, core):
            with pytest.raises(OutcomeUnknown):
                await act(core, player.id, key=key)
        receipt = await act(core, player.id, key=key)
        assert (receipt.replayed, receipt.player.version) == (True, 2)
        assert len(await ledger(core, player.id)) == 2


@asynccontextmanager
async def away(servers: Servers, core: Core) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """The database `one` ends every connection and takes none, until the block or what it gives is called."""
    async with superuser(servers, core, "one") as connection:
        name = await connection.fetchval("select current_database()")

        async def come_back() -> None:
            await connection.execute(f"alter database {name} connection limit -1")

        await connection.execute(f"alter database {name} connection limit 0")
        ended = "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and pid <> pg_backend_pid()"
        await connection.execute(ended, name)
        try:
            yield come_back
        finally:
            await come_back()


async def test_a_command_waits_for_a_database_that_is_away_and_is_refused_at_its_deadline(
    servers: Servers, settings: Settings
) -> None:
    quick = settings.model_copy(update={"writes": WriteSettings(deadline_seconds=0.6)})
    async with working(quick) as core:
        player, elsewhere = await enlist(core, database="one"), await enlist(core, database="two")
        await act(core, player.id)
        async with away(servers, core) as come_back:
            with pytest.raises(DatabaseUnavailable):
                await act(core, player.id)
            assert (await act(core, elsewhere.id)).player.version == 2
            outcomes = asyncio.create_task(act(core, player.id))
            await asyncio.sleep(0)
            await come_back()
            assert (await outcomes).player.version == 3
        assert len(await assert_ledger_explains(core, player.id)) == 3


async def test_commands_for_a_database_that_is_away_are_answered_when_the_node_stops(
    servers: Servers, settings: Settings
) -> None:
    def faults() -> float:
        labels = {"database": "one", "kind": "ConnectionError"}
        return REGISTRY.get_sample_value("gameserver_database_faults_total", labels) or 0

    async with application.open_core(settings) as core:
        run = asyncio.create_task(core.rooms.players.run())
        player = await enlist(core, database="one")
        async with away(servers, core):
            before = faults()
            waiting = [asyncio.create_task(act(core, player.id)) for _ in range(3)]
            await wait_until(lambda: faults() > before, what="the node has noticed")
            run.cancel()
            done, _ = await asyncio.wait(waiting, timeout=20)
    assert len(done) == 3
    assert all(isinstance(task.exception(), Unavailable) for task in waiting)


HANG = """
create function hang() returns trigger language plpgsql as
'begin if new.player_id = {player} then perform pg_advisory_xact_lock_shared(1); end if; return new; end';
create trigger hang before insert on ledger for each row execute function hang();
select pg_advisory_lock(1)
"""
HANGING = "select xact_start from pg_stat_activity where wait_event = 'advisory'"


async def test_players_do_not_wait_for_a_transaction_of_another_player_that_hangs(servers: Servers, core: Core) -> None:
    hangs, other = await enlist(core, database="one"), await enlist(core, database="one")
    async with superuser(servers, core, "one") as holder:
        await holder.execute(HANG.format(player=hangs.id))
        outcome = asyncio.create_task(act(core, hangs.id))

        async def began() -> object:
            return await holder.fetchval(HANGING)

        await wait_until(began, what="a transaction hangs")
        since = await began()
        assert (await act(core, other.id)).player.version == 2
        assert await began() == since, "it was answered only when that transaction had been given up"
        await holder.execute("select pg_advisory_unlock(1)")
        assert (await outcome).player.version == 2


async def test_a_sign_up_that_freezes_in_its_transaction_lets_go_of_the_fence_and_is_told_so(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(patience.POOLED, "idle_in_transaction_session_timeout", "2000")  # as outside tests
    async with working(settings) as core, connected(core.databases["one"].url) as mover:
        await mover.execute("set lock_timeout = '4s'")
        with pytest.raises(DatabaseUnavailable):
            await freeze_while(core, mover.execute(f"select pg_advisory_lock({FENCE})"))
        assert await mover.fetchval("select count(*) from pg_locks where locktype = 'advisory' and granted") == 1


async def freeze_while(core: Core, other: Awaitable[object]) -> None:
    """Holds the fence as a sign-up does, and goes on when the other one has it."""
    async with core.databases["one"].fenced("players") as frozen:
        try:
            await other
        except asyncpg.LockNotAvailableError:
            pytest.fail("the fence is still held")
        await frozen.execute(text("select 1"))


@pytest.mark.parametrize("place", ["queued", "parked", "sent on to a full queue"])
@pytest.mark.parametrize("unsure", [True, False])
async def test_a_command_that_may_have_committed_is_never_answered_as_one_without_effect(
    core: Core, place: str, unsure: bool
) -> None:
    """Its transaction was lost at the commit, and nothing tries it again: the node stops, or the next queue is full."""
    full = place == "sent on to a full queue"
    limits = CommitLimits(players=1, in_flight=0, queue=0 if full else 1, deadline=60, transaction=1)
    committers: list[tuple[Committer, GiveBack]] = []

    def make(database: Database, give_back: GiveBack) -> Committer:
        committers.append((Committer(database, no_batch, limits, give_back), give_back))
        return committers[-1][0]

    router = Router(core.slots, limits, make)
    router.posted(core.databases["one"])  # makes its committer
    ((committer, give_back),) = committers
    command = order(core, (await enlist(core, database="one")).id)
    future: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
    pending = Pending(command, future, time.monotonic() + 60, unsure=unsure)
    if place == "queued":
        committer.submit(pending)
    else:
        give_back([pending])
    run = asyncio.create_task((committer if place == "queued" else router).run())
    await asyncio.sleep(0)  # a task that hasn't begun ends without its end
    done, _ = await asyncio.wait([future], timeout=20 if full else 0)
    assert bool(done) is full
    await cancel_and_wait([run])
    assert isinstance(future.exception(), OutcomeUnknown if unsure else Overloaded)


def no_batch(commands: Sequence[Command]) -> Batch:
    """There are no workers."""
    raise AssertionError
