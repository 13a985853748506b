"""Whoever takes a move over finds what there is of its copy, whatever its name; and works only on what it knows."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from gameserver.app import Core
from gameserver.commands import sharding
from gameserver.config.settings import Settings
from gameserver.rules.errors import Conflict
from gameserver.storage.postgres.databases import Databases
from gameserver.storage.postgres.passfile import PassfileFault
from gameserver.storage.sharding import copy_names, provision
from gameserver.storage.sharding.attempt import MoveProgress
from gameserver.storage.sharding.copying import Copy
from gameserver.storage.sharding.cutover import Cutover, CutoverDelayed
from gameserver.storage.sharding.move import MoveRecord, PlannedMove, SlotStep
from gameserver.storage.sharding.mover import Mover
from gameserver.waiting import cancel_and_wait
from tests.storage.sharding import moving
from tests.support.client import command_id
from tests.support.deployment import act, connected, enlist, owner, slots_of, working

COPIES = "select count(*) from pg_subscription where subdbid = (select oid from pg_database where datname = $1)"


@asynccontextmanager
async def stopping(core: Core, move_id: int, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """A mover that stands still, during the block, before the second slot's cut-over; then its lease lapses."""
    carry_out, calls, stands = Cutover.carry_out, 0, asyncio.Event()

    async def stand(self: Cutover, move: MoveRecord, slot: int) -> int:
        nonlocal calls
        calls += 1
        if calls == 2:
            stands.set()
            await asyncio.Event().wait()
        return await carry_out(self, move, slot)

    with monkeypatch.context() as standing:
        standing.setattr(Cutover, "carry_out", stand)
        task = asyncio.create_task(sharding.carry_out(core.sharding, [move_id], lambda _: None))
        try:
            async with asyncio.timeout(moving.STANDSTILL_SECONDS):
                await stands.wait()
            yield
        finally:
            await cancel_and_wait([task])
    await moving.lapse(core.sharding, core.databases["one"].url)


@pytest.mark.parametrize("named", ["by another address", "by the version before"])
async def test_a_move_half_done_is_ended_by_whoever_calls_its_copy_otherwise_and_no_row_is_lost(
    core: Core, settings: Settings, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    players = [await enlist(core, database="one")]
    while len(moving.slot_with(players)) < 2:
        players.append(await enlist(core, database="one"))
    plans = [PlannedMove("players", "one", "two", moving.slot_with(players))]
    (move_id,) = await core.sharding.moves.order(plans, command_id())
    if named == "by the version before":
        monkeypatch.setattr(copy_names, "name_of", lambda _, move: f"gs_0123abcd_move_{move.id}")
    async with stopping(core, move_id, monkeypatch):
        moved = (await core.sharding.moves.find(move_id)).at(SlotStep.MOVED)
        assert len(moved) == 1
    monkeypatch.undo()
    async with working(moving.respelt(settings)) as other:
        await sharding.carry_out(other.sharding, [move_id], lambda _: None)
        ended = await other.sharding.moves.find(move_id)
    assert (ended.problem, {each.step for each in ended.slots}) == (None, {SlotStep.MOVED})
    await moving.assert_settled(core)
    for player in players:
        assert (await act(core, player.id)).player.version == 2
        assert owner(core, player.id) == "two"


async def test_nothing_is_erased_on_the_source_while_something_of_the_copy_is_left_there(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    player = await enlist(core, database="one")
    plans = [PlannedMove("players", "one", "two", moving.slot_with([player]))]
    (move_id,) = await core.sharding.moves.order(plans, command_id())

    async def leave(*_: object) -> None:
        """Ends no copy."""

    with monkeypatch.context() as left:
        left.setattr(Copy, "end", leave)
        left.setattr(Copy, "end_on_source", leave)
        async with carried(core, move_id, "is still there: nothing is erased"):
            for name in ("one", "two"):
                async with connected(core.databases[name].url) as connection:
                    assert await connection.fetchval("select count(*) from players where id = $1", player.id) == 1, name
            left.undo()
    await moving.assert_settled(core)
    assert (await act(core, player.id)).player.version == 2


@asynccontextmanager
async def carried(core: Core, move_id: int, problem: str) -> AsyncIterator[None]:
    """A move that is carried out: the block begins when the move has told of this problem, and the move ends after it,
    with all its slots moved."""
    told = asyncio.Event()

    def tell(progress: MoveProgress) -> None:
        if problem in progress.note:
            told.set()

    task = asyncio.create_task(sharding.carry_out(core.sharding, [move_id], tell))
    try:
        async with asyncio.timeout(20):
            await told.wait()
        yield
        async with asyncio.timeout(moving.STANDSTILL_SECONDS):
            await task
    finally:
        await cancel_and_wait([task])
    await core.slots.refresh()
    assert {slot.step for slot in (await core.sharding.moves.find(move_id)).slots} == {SlotStep.MOVED}


async def test_a_reconciliation_by_another_text_of_the_address_leaves_the_copy_of_an_open_move(
    core: Core, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans = [PlannedMove("players", "one", "two", slots_of(core, "one")[:2])]
    (move_id,) = await core.sharding.moves.order(plans, command_id())
    async with stopping(core, move_id, monkeypatch), connected(core.databases["two"].url) as target:
        await target.execute("update players_lineage set timeline = timeline + 7")
        async with working(moving.respelt(settings)) as other:
            done = await provision.reconciler_of(other.settings, other.databases).run()
            assert done is not None
            assert list(done.opened) == ["two"]
        assert await target.fetchval(COPIES, await target.fetchval("select current_database()")) == 1
    await sharding.carry_out(core.sharding, [move_id], lambda _: None)
    await moving.assert_settled(core)


async def test_a_process_that_doesnt_know_a_database_of_a_move_leaves_it_to_others(core: Core) -> None:
    plans = [PlannedMove("players", "one", "two", slots_of(core, "one")[:1])]
    (move_id,) = await core.sharding.moves.order(plans, command_id())
    databases = Databases({"one": core.databases["one"].url})
    stranger = Mover(core.sharding.moves, databases, "a stranger")
    try:
        assert await stranger.lapsed() == []
        assert await core.sharding.mover.lapsed() == [(move_id, True)]
        with pytest.raises(Conflict, match="no database 'two'"):
            await stranger.take(move_id, lambda _: None)
    finally:
        await databases.close()
    await (await core.sharding.mover.take(move_id, lambda _: None)).close()


async def test_a_move_isnt_taken_before_a_migrate_that_was_killed_has_recorded_the_deployment(core: Core) -> None:
    plans = [PlannedMove("players", "one", "two", slots_of(core, "one")[:1])]
    (move_id,) = await core.sharding.moves.order(plans, command_id())
    async with connected(core.databases["one"].url) as control:
        await control.execute("create temporary table known as table control_identity")
        await control.execute("delete from control_identity")
        with pytest.raises(Conflict, match="run `gameserver migrate`"):
            await core.sharding.mover.take(move_id, lambda _: None)
        await control.execute("insert into control_identity table known")
    await (await core.sharding.mover.take(move_id, lambda _: None)).close()


async def test_a_process_whose_password_file_cant_be_used_leaves_a_move_to_others(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans = [PlannedMove("players", "one", "two", slots_of(core, "one")[:1])]
    (move_id,) = await core.sharding.moves.order(plans, command_id())

    def refuse(*_: object) -> None:
        raise PassfileFault("chmod 600 it")

    with monkeypatch.context() as refused:
        refused.setattr(Copy, "opened", refuse)
        with pytest.raises(Conflict, match="chmod 600 it"):
            async with asyncio.timeout(10):
                await sharding.carry_out(core.sharding, [move_id], lambda _: None)
    await moving.lapse(core.sharding, core.databases["one"].url)
    assert await core.sharding.mover.lapsed() == [(move_id, True)]


async def test_a_slot_isnt_granted_to_a_target_with_a_later_epoch_that_says_it_is_anothers(core: Core) -> None:
    player = await enlist(core, database="one")
    (slot,) = moving.slot_with([player])
    (move_id,) = await core.sharding.moves.order([PlannedMove("players", "one", "two", [slot])], command_id())
    async with connected(core.databases["two"].url) as target:
        await target.execute("insert into players_owned_slots values ($1, false, 1000)", slot)
        async with carried(core, move_id, f"slot {slot}: two has a later epoch, and doesn't own it"):
            assert (await core.sharding.moves.find(move_id)).at(SlotStep.FLIPPED) == [slot]
            await target.execute("update players_owned_slots set epoch = 0 where slot = $1", slot)
    assert (await act(core, player.id)).player.version == 2
    await moving.assert_settled(core)


async def test_a_slot_whose_grant_is_delayed_after_its_flip_loses_no_row_on_its_target(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    player = await enlist(core, database="one")
    grant, calls = Cutover.grant, 0

    async def delay_first(self: Cutover, *arguments: Any) -> int:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise CutoverDelayed("not yet")
        return await grant(self, *arguments)

    monkeypatch.setattr(Cutover, "grant", delay_first)
    ended = await moving.move(core, moving.slot_with([player]), "two")
    assert {slot.step for slot in ended.slots} == {SlotStep.MOVED}
    assert (await act(core, player.id)).player.version == 2
    await moving.assert_settled(core)


async def test_no_slot_is_fenced_before_its_target_knows_the_rules_that_its_source_knows(core: Core) -> None:
    plans = [PlannedMove("players", "one", "two", slots_of(core, "one")[:1])]
    (move_id,) = await core.sharding.moves.order(plans, command_id())
    told = "insert into players_editions values (7, clock_timestamp(), 'ordered', 1)"
    async with connected(core.databases["one"].url) as source, connected(core.databases["two"].url) as target:
        await source.execute(told)
        async with carried(core, move_id, "no node has told two of the newest rules"):
            assert (await core.sharding.moves.find(move_id)).at(SlotStep.WAITING) == plans[0].slots
            await target.execute(told)


async def test_a_copy_between_tables_that_were_changed_begins_anew_once_both_are_at_their_head(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans = [PlannedMove("players", "one", "two", slots_of(core, "one")[:1])]
    (move_id,) = await core.sharding.moves.order(plans, command_id())
    begin, begun = Copy.begin, 0
    set_revision = "update alembic_version_players set version_num = $1"

    async def change(self: Copy, *arguments: asyncpg.Connection) -> object:
        async with connected(core.databases["two"].url) as target:
            await target.execute(set_revision, "players_0001")
        return await copied(self, *arguments)

    async def count(self: Copy, *arguments: object) -> None:
        nonlocal begun
        begun += 1
        await begin(self, *arguments)  # type: ignore[arg-type]

    copied = Copy.copied
    async with connected(core.databases["two"].url) as target:
        head = await target.fetchval("select version_num from alembic_version_players")
        monkeypatch.setattr(Copy, "begin", count)
        with monkeypatch.context() as changing:
            changing.setattr(Copy, "copied", change)
            async with carried(core, move_id, "tables of two are at players_0001"):
                changing.undo()
                await target.execute(set_revision, head)
    assert begun == 2
    await moving.assert_settled(core)


@pytest.mark.parametrize("whose", ["nobody's", "another slot's", "the slot's"])
async def test_a_partition_of_an_operators_own_holds_a_move_up_only_by_rows_that_its_target_could_store_nowhere(
    core: Core, whose: str
) -> None:
    player = await enlist(core, database="one")
    (slot,) = moving.slot_with([player])
    plans = [PlannedMove("players", "one", "two", [slot])]
    other = next(each for each in slots_of(core, "one") if each != slot)
    async with connected(core.databases["one"].url) as source:
        await source.execute("create table ledger_rest partition of ledger default")
        await source.execute("create temporary table old as table ledger")
        await source.execute(
            "update old set command_id = '00000000-0000-7000-8000-000000000000', slot = $1",
            slot if whose == "the slot's" else other,
        )
        if whose != "nobody's":
            await source.execute("insert into ledger select * from old limit 1")
        (move_id,) = await core.sharding.moves.order(plans, command_id())
        if whose == "the slot's":
            async with carried(core, move_id, "has rows of the ledger in ledger_rest"):
                await source.execute("truncate ledger_rest")
        else:
            async with asyncio.timeout(moving.STANDSTILL_SECONDS):
                await sharding.carry_out(core.sharding, [move_id], lambda _: None)
            await core.slots.refresh()
    assert owner(core, player.id) == "two"
    await moving.assert_settled(core)
