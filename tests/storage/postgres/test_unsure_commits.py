"""A commit that its standby may not have is told as unknown, by whatever it was made; also one that wrote nothing."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import asyncpg
import pytest
from sqlalchemy import text

from gameserver.app import Core
from gameserver.rules.errors import DatabaseUnavailable, OutcomeUnknown, PlayerNotFound, Refused
from gameserver.storage.accounts.bans import BanChange
from gameserver.storage.accounts.claim_writes import ClaimRow, Opening
from gameserver.storage.accounts.claims import Key, KeyKind
from gameserver.storage.ids import slot_of_key
from gameserver.storage.mail.outbox import Outbox
from gameserver.storage.operators.audit import AuditedChange
from gameserver.storage.players.command import Receipt
from gameserver.storage.postgres.driver import LEAVE_A_MARK, CommitUnsure
from gameserver.storage.slots.shared_writes import SharedWrites
from tests.support.client import command_id
from tests.support.deployment import act, enlist, order, settled, superuser
from tests.support.servers import SLOTS, Servers
from tests.support.standby import backend_in, missing_standby

GATHER = "(smallint[], bigint[], smallint[], bigint[], uuid[], uuid, uuid)"
WIDER = f"""
alter function gather_by_edition{GATHER} rename to gather_before;
create table gathered as select *, 1 as more from gather_before('{{}}', '{{}}', '{{}}', '{{}}', '{{}}', null, null)
with no data;
create function gather_by_edition{GATHER} returns setof gathered language plpgsql as
$$ begin return query select *, 1 from gather_before($1, $2, $3, $4, $5, $6, $7); end $$
"""
"""What a migration may do: one column more of what a transaction reads."""
Use = Callable[[Core], Awaitable[object]]


async def transaction(core: Core) -> None:
    async with core.databases["one"].transaction() as connection:
        await connection.execute(text("create table written_there ()"))


async def nothing_written(core: Core) -> None:
    async with core.databases["one"].transaction() as connection:
        await connection.execute(text("select 1"))


async def nothing_written_under_the_fence(core: Core) -> None:
    async with core.databases["one"].fenced("players") as connection:
        await connection.execute(text("select 1"))


async def statement_by_itself(core: Core) -> None:
    await core.databases["one"].ask(f"select {LEAVE_A_MARK}")


async def transaction_of_the_driver(core: Core) -> None:
    connection = await core.databases["one"].connect({})
    try:
        async with connection.transaction():
            await connection.execute("create table written_there ()")
    finally:
        connection.terminate()


async def statement_of_the_driver(core: Core) -> None:
    connection = await core.databases["one"].connect({})
    try:
        await connection.fetch("create table written_there ()")
    finally:
        connection.terminate()


USES = [
    (transaction, OutcomeUnknown),
    (nothing_written, OutcomeUnknown),
    (nothing_written_under_the_fence, OutcomeUnknown),
    (statement_by_itself, OutcomeUnknown),
    (transaction_of_the_driver, CommitUnsure),
    (statement_of_the_driver, CommitUnsure),
]


async def cancelled(servers: Servers, core: Core, use: Awaitable[object]) -> BaseException | None:
    """What comes of it when its wait for the standby is cancelled."""
    async with superuser(servers, core, "one") as killer:
        task = asyncio.ensure_future(use)
        await killer.execute("select pg_cancel_backend($1)", await backend_in(killer, "SyncRep"))
        await asyncio.wait([task], timeout=20)
        return task.exception()


async def test_a_commit_whose_wait_is_cancelled_is_neither_done_nor_failed(servers: Servers, core: Core) -> None:
    async with missing_standby(servers, core):
        for use, expected in USES:
            outcome = await cancelled(servers, core, use(core))
            assert isinstance(outcome, expected), f"{use.__name__}: {outcome!r}"
            async with superuser(servers, core, "one") as connection:
                await connection.execute("set synchronous_commit = off; drop table if exists written_there")


async def test_a_shared_write_that_finds_everything_written_waits_for_the_standby(servers: Servers, core: Core) -> None:
    async def find(_: asyncpg.Connection, wanted: Sequence[Opening]) -> Sequence[ClaimRow | None]:
        return [None for _ in wanted]

    writes: SharedWrites[Opening, ClaimRow | None] = SharedWrites(core.slots, "accounts", find)
    opening = opening_on_one(core)
    async with missing_standby(servers, core) as arrive:
        assert isinstance(await cancelled(servers, core, writes.write(opening)), OutcomeUnknown)
        await arrive()
        assert await writes.write(opening) is None
    await writes.close()


async def test_of_writes_that_a_stopping_node_gives_up_those_whose_commit_was_sent_are_told_as_unknown(
    servers: Servers, core: Core
) -> None:
    async def find(_: asyncpg.Connection, wanted: Sequence[Opening]) -> Sequence[ClaimRow | None]:
        return [None for _ in wanted]

    writes: SharedWrites[Opening, ClaimRow | None] = SharedWrites(core.slots, "accounts", find)
    async with superuser(servers, core, "one") as killer, missing_standby(servers, core):
        written = asyncio.ensure_future(writes.write(opening_on_one(core)))
        await backend_in(killer, "SyncRep")
        await writes.close()
        with pytest.raises(OutcomeUnknown):
            await written


async def test_what_is_written_in_advance_of_a_change_says_that_nothing_has_changed(
    servers: Servers, core: Core
) -> None:
    """A claim, or an entry of the audit log, without what it was made for."""
    claims, audit = core.rooms.accounts.claims, core.rooms.operators.audit
    one = opening_on_one(core)
    key = Key(KeyKind.NAME, one.key)

    async def recorded() -> None:
        async with audit.recorded(AuditedChange("tester", "ban", "1", "tried")):
            pytest.fail("the change was made")

    async with missing_standby(servers, core):
        for use in (claims.reserve([key], 1, one.command_id), claims.doubt(key, 1), recorded()):
            outcome = await cancelled(servers, core, use)
            assert type(outcome) is DatabaseUnavailable, repr(outcome)
            assert outcome.retry_after


async def test_a_change_whose_commit_isnt_sure_says_what_it_was_to_do(servers: Servers, core: Core) -> None:
    player = await enlist(core, database="one")
    ban = BanChange(command_id(), player.id, banned=True, reason="tried")
    async with missing_standby(servers, core):
        outcome = await cancelled(servers, core, core.rooms.accounts.bans.change(ban))
    assert isinstance(outcome, OutcomeUnknown)
    assert outcome.detail == "Whether it took effect isn't known yet: send it again."


def opening_on_one(core: Core) -> Opening:
    key = next(f"name {number}" for number in range(100) if owner_of(core, f"name {number}") == "one")
    return Opening(slot_of_key("name", key, SLOTS), "name", key, 1, command_id())


def owner_of(core: Core, key: str) -> str:
    return core.slots.owner("accounts", slot_of_key("name", key, SLOTS)).name


async def test_a_replayed_answer_waits_for_the_standby(servers: Servers, core: Core) -> None:
    player, key = await enlist(core, database="one"), command_id()
    await act(core, player.id, key=key)
    async with superuser(servers, core, "one") as killer, missing_standby(servers, core) as arrive:
        replay = asyncio.create_task(act(core, player.id, key=key))
        await backend_in(killer, "SyncRep")
        assert not replay.done()
        await arrive()
        assert (await replay).replayed


async def test_a_plain_read_may_show_what_its_standby_lacks_and_no_answer_is_built_on_it_before_it_is_there(
    servers: Servers, core: Core
) -> None:
    """The law of docs/replication.md: reads of the primary don't wait, answers to commands do."""
    player, key = await enlist(core, database="one"), command_id()
    async with superuser(servers, core, "one") as killer, missing_standby(servers, core) as arrive:
        assert isinstance(await cancelled(servers, core, act(core, player.id, key=key)), OutcomeUnknown)
        shown = (await core.rooms.players.read([player.id]))[player.id]
        assert shown.version == player.version + 1
        following = asyncio.create_task(act(core, player.id))
        await backend_in(killer, "SyncRep")
        assert not following.done()
        await arrive()
        assert (await following).player.version == shown.version + 1
    assert (await act(core, player.id, key=key)).replayed


async def test_an_answer_about_a_player_that_isnt_there_waits_for_the_standby(servers: Servers, core: Core) -> None:
    """It holds no row of a player: what it has read, such as that one was deleted, may be on the primary alone."""
    player = await enlist(core, database="one")
    async with superuser(servers, core, "one") as killer, missing_standby(servers, core) as arrive:
        asked = asyncio.create_task(act(core, player.id + 1))
        await backend_in(killer, "SyncRep")
        assert not asked.done()
        await arrive()
        with pytest.raises(PlayerNotFound):
            await asked


async def test_letters_are_read_for_delivery_once_the_standby_has_them(servers: Servers, core: Core) -> None:
    sender, recipient = await enlist(core, "priest", database="one"), await enlist(core, database="two")
    await act(core, sender.id, "heal_other", player=str(recipient.id))
    connection = await core.databases["one"].connect({})
    read = Outbox(connection).read
    kinds = [row["kind"] for row in await connection.fetch("select distinct kind from outbox")]
    assert kinds
    async with missing_standby(servers, core) as arrive:
        outcome = await cancelled(servers, core, read(kinds, SLOTS - 1, list(range(SLOTS))))
        assert isinstance(outcome, CommitUnsure)
        await arrive()
    assert len(await read(kinds, SLOTS - 1, list(range(SLOTS)))) == 1
    connection.terminate()


async def test_a_migration_under_cached_plans_fails_no_action(servers: Servers, core: Core) -> None:
    player, turns = await enlist(core, database="one"), 6
    for turn in range(2 * turns):
        if turn == turns:
            async with superuser(servers, core, "one") as migration:
                await migration.execute(WIDER)
        # A rule may refuse the action, nothing else.
        (outcome,) = await settled(core, [order(core, player.id)])
        assert isinstance(outcome, Receipt | Refused), repr(outcome)


async def test_a_cached_plan_of_a_transaction_is_a_database_that_is_busy(servers: Servers, core: Core) -> None:
    """The next one has another plan."""
    database, asked = core.databases["one"], text("select * from game_names")
    for _ in range(2):
        async with database.transaction() as connection:
            await connection.execute(asked)
    async with superuser(servers, core, "one") as migration:
        await migration.execute("alter table game_names add column more int")
    with pytest.raises(DatabaseUnavailable):
        async with database.transaction() as connection:
            await connection.execute(asked)
    async with database.transaction() as connection:
        assert "more" in list((await connection.execute(asked)).keys())
