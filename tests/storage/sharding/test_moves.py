"""Slots move between databases while players play; whatever is refused changes nothing."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import asyncpg
import pytest
from pydantic import SecretStr

from gameserver.app import Core
from gameserver.commands import sharding
from gameserver.commands.accounts import Application
from gameserver.commands.sign_up import enroll
from gameserver.config.servers import DatabaseSettings
from gameserver.config.settings import Settings
from gameserver.rules.errors import Conflict, GameError, NameTaken, Refused
from gameserver.stack.processes.ports import free_port
from gameserver.storage.postgres.locks import FENCES
from gameserver.storage.sharding import copying, digest
from gameserver.storage.sharding.cutover import Cutover, CutoverDelayed
from gameserver.storage.sharding.move import LeaseLost, PlannedMove, SlotRecord, SlotStep, Step
from tests.storage.sharding import moving
from tests.support.client import command_id
from tests.support.deployment import act, connected, enlist, enlist_many, order, owner, settled, slots_of, working
from tests.support.devices import device_of
from tests.support.wait import wait_until


@pytest.fixture(autouse=True)
async def _no_move_is_left_open(core: Core) -> AsyncIterator[None]:
    """A subscription would keep the test's database from being dropped."""
    yield
    for move in await core.sharding.moves.unfinished():
        await core.sharding.moves.cancel(move.id)
        await moving.lapse(core.sharding, core.databases["one"].url)
        await sharding.carry_out(core.sharding, [move.id], lambda _: None)


async def test_slots_move_there_and_back_while_their_players_play_and_nothing_is_lost_or_done_twice(core: Core) -> None:
    players = await enlist_many(core, 10, "one")
    slots = moving.slot_with(players)
    async with moving.playing(core, players) as receipts_by_player:
        for target in ("two", "one"):
            moved = await moving.move(core, slots, target)
            assert {slot.step for slot in moved.slots} == {SlotStep.MOVED}
            assert {owner(core, player.id) for player in players} == {target}
            await moving.assert_settled(core)
    assert all(len(receipts) > 20 for receipts in receipts_by_player.values())
    await moving.assert_nothing_lost(core, receipts_by_player)


async def test_a_command_that_was_acknowledged_before_its_slot_moved_gets_its_first_answer_after_it(core: Core) -> None:
    player, key = await enlist(core, database="one"), command_id()
    first = await act(core, player.id, key=key)
    await moving.move(core, moving.slot_with([player]), "two")
    again = await act(core, player.id, key=key)
    assert (again.player, list(again.events), again.replayed) == (first.player, list(first.events), True)


async def test_slots_move_between_databases_of_several_addresses(settings: Settings) -> None:
    """The first address is nobody's: the mover and Postgres itself find the primary behind it."""

    def with_two(database: DatabaseSettings) -> DatabaseSettings:
        url = database.url.get_secret_value() if database.url else ""
        several = url.replace("@", f"@127.0.0.1:{free_port()},")
        return database.model_copy(update={"url": SecretStr(several)})

    databases = {name: with_two(database) for name, database in settings.databases.items()}
    async with working(settings.model_copy(update={"databases": databases})) as core:
        player, key = await enlist(core, database="one"), command_id()
        first = await act(core, player.id, key=key)
        await moving.move(core, moving.slot_with([player]), "two")
        assert (owner(core, player.id), (await act(core, player.id, key=key)).player) == ("two", first.player)


async def test_commands_of_a_player_take_effect_in_their_order_while_its_slot_moves(
    core: Core,
) -> None:
    player = await enlist(core, exp=5000, database="one")
    moves = asyncio.create_task(moving.move(core, moving.slot_with([player]), "two"))
    sent = []
    while not moves.done():
        sent += [asyncio.ensure_future(core.rooms.players.act(order(core, player.id, "rest"))) for _ in range(5)]
        sent += [asyncio.ensure_future(core.rooms.players.act(order(core, player.id))) for _ in range(5)]
        await asyncio.sleep(0.005)
    answers = await asyncio.gather(*sent, return_exceptions=True)
    assert all(isinstance(answer, Refused) or not isinstance(answer, BaseException) for answer in answers)
    versions = [answer.player.version for answer in answers if not isinstance(answer, BaseException)]
    assert versions == sorted(versions)
    assert len(versions) > 20
    assert owner(core, player.id) == "two"


async def test_claims_move_while_players_sign_up_and_a_name_stays_taken(core: Core) -> None:
    made, stop = [], asyncio.Event()

    async def sign_up() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            made.append((await enroll(core.commands.accounts, _application(f"Mover {number}"), command_id()))[0].player)

    task = asyncio.create_task(sign_up())
    slots = slots_of(core, "one", "accounts")[::3]
    await moving.move(core, slots, "two", "accounts")
    await moving.move(core, slots, "one", "accounts")
    stop.set()
    await task
    await moving.assert_settled(core, "accounts")
    assert len(made) > 5
    for player in made:
        with pytest.raises(NameTaken):
            await enroll(
                core.commands.accounts, _application(player.name, device=device_of("another-device")), command_id()
            )


def _application(name: str, device: str | None = None) -> Application:
    return Application(name, "mage", device=device or device_of(f"device of {name}"))


async def test_a_slot_whose_rows_differ_is_not_flipped_and_the_move_ends_with_the_reason(core: Core) -> None:
    player = await enlist(core, database="one")
    await act(core, player.id)
    (slot,) = moving.slot_with([player])
    async with connected(core.databases["two"].url) as target:
        await target.execute(moving.SPOIL)
    ended = await moving.move(core, [slot], "two")
    assert (ended.step, ended.slots[0].step) == (Step.DONE, SlotStep.KEPT)
    assert ended.problem is not None
    assert f"slot {slot}: players: 1 rows" in ended.problem
    assert (await act(core, player.id)).player.id == player.id
    assert owner(core, player.id) == "one"
    await moving.assert_settled(core)


@pytest.mark.parametrize("step", ["require_near", "verify"])
async def test_a_ledger_row_that_is_missing_on_the_target_is_found_whether_it_was_summed_before_the_fence_or_is_new(
    core: Core, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    player = await enlist(core, database="one")
    (slot,) = moving.slot_with([player])
    fence, spoiled = Cutover.fence, getattr(Cutover, step)

    async def act_and_fence(self: Cutover, *args: object) -> float:
        await act(core, player.id)
        return await fence(self, *args)  # type: ignore[arg-type]

    async def spoil(self: Cutover, *args: object) -> object:
        if step == "verify" or await _rows(core, "two", slot):
            async with connected(core.databases["two"].url) as connection:
                newest = "select max(version) from ledger where slot = $1"
                await connection.execute(f"delete from ledger where slot = $1 and version = ({newest})", slot)
        return await spoiled(self, *args)

    monkeypatch.setattr(Cutover, "fence", act_and_fence)
    monkeypatch.setattr(Cutover, step, spoil)
    ended = await moving.move(core, [slot], "two")
    assert ended.problem is not None
    assert "ledger: 2 rows on the source, 1 on the target" in ended.problem
    assert owner(core, player.id) == "one"


async def test_a_ledger_row_that_is_erased_between_the_sums_of_source_and_target_ends_no_move(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    player = await enlist(core, database="one")
    (slot,) = moving.slot_with([player])
    base, bases = digest.base, list[digest.Base]()
    between = asyncio.Lock()

    async def erased(database: str) -> bool:
        async with connected(core.databases[database].url) as connection:
            return bool(await connection.fetchval("select args::text = '{}' from ledger where slot = $1", slot))

    async def summed(connection: asyncpg.Connection, group: str, of: int) -> digest.Base:
        async with between:
            if len(bases) == 1:
                async with connected(core.databases["one"].url) as source:
                    await source.execute("update ledger set args = '{}' where slot = $1", slot)
                await wait_until(lambda: erased("two"), what="the target has it")
            bases.append(await base(connection, group, of))
            return bases[-1]

    monkeypatch.setattr(digest, "base", summed)
    ended = await moving.move(core, [slot], "two")
    assert (ended.problem, ended.slots[0].step) == (None, SlotStep.MOVED)
    assert len(bases) == 4, "both were summed up once more"
    assert owner(core, player.id) == "two"
    await moving.assert_settled(core)


async def _rows(core: Core, database: str, slot: int) -> int:
    async with connected(core.databases[database].url) as connection:
        return int(await connection.fetchval("select count(*) from ledger where slot = $1", slot))


async def test_a_write_that_does_not_end_delays_a_cut_over_and_other_writes_wait_only_shortly(core: Core) -> None:
    player, other = await enlist(core, database="one"), await enlist(core, database="one")
    async with connected(core.databases["one"].url) as frozen:
        await frozen.execute("begin")
        await frozen.execute(f"select pg_advisory_xact_lock_shared({FENCES['players']})")
        moves = asyncio.create_task(moving.move(core, moving.slot_with([player]), "two"))
        began = asyncio.get_running_loop().time()
        while asyncio.get_running_loop().time() < began + 2:
            with contextlib.suppress(Refused):
                await asyncio.wait_for(act(core, other.id), 2)
        assert not moves.done()
        await frozen.execute("rollback")
        await asyncio.wait_for(moves, 20)
    assert owner(core, player.id) == "two"


async def test_a_move_that_is_cancelled_leaves_what_has_not_moved_where_it_was(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    slots = slots_of(core, "one")
    carry_out = Cutover.carry_out
    count = 0

    async def cancel_after_two(self: Cutover, *args: object) -> int:
        nonlocal count
        pause = await carry_out(self, *args)  # type: ignore[arg-type]
        count += 1
        if count == 2:
            (move,) = await core.sharding.moves.unfinished()
            await core.sharding.moves.cancel(move.id)
            for _ in range(2):
                await _until_renewed(core)
        return pause

    monkeypatch.setattr(Cutover, "carry_out", cancel_after_two)
    ended = await moving.move(core, slots, "two")
    assert len(ended.at(SlotStep.MOVED)) == 2
    assert len(ended.at(SlotStep.KEPT)) == len(slots) - 2
    await moving.assert_settled(core)
    with pytest.raises(Conflict, match="is over"):
        await core.sharding.moves.cancel(ended.id)


async def _until_renewed(core: Core) -> None:
    """The mover renews its lease; when it has done so twice it has read what was recorded before."""
    async with connected(core.databases["one"].url) as connection:
        lease = await connection.fetchval("select lease from moves")

        async def is_renewed() -> bool:
            return bool(await connection.fetchval("select lease from moves") != lease)

        await wait_until(is_renewed, what="the mover renews its lease")


async def test_a_move_that_cannot_be_is_refused_with_the_reason_and_nothing_is_recorded(core: Core) -> None:
    moves = core.sharding
    slots = slots_of(core, "one")
    refused: dict[str, Callable[[], Awaitable[list[PlannedMove]]]] = {
        "isn't a database of players": (lambda: sharding.plan_move(moves, "players", slots, "nowhere")),
        "There is no group": (lambda: sharding.plan_move(moves, "planets", slots, "two")),
        "and not 64-70": (lambda: sharding.plan_move(moves, "players", range(60, 71), "two")),
        "owns all of these": (lambda: sharding.plan_move(moves, "players", slots, "one")),
        "doesn't own these slots": (lambda: _plan("players", "one", "two", slots_of(core, "two"))),
    }
    for reason, plan in refused.items():
        with pytest.raises(GameError, match=reason):
            await moves.moves.make(await plan(), "tester")
    assert await moves.moves.unfinished() == []


async def test_slots_whose_source_has_a_later_epoch_than_the_map_keep_their_one_owner(core: Core) -> None:
    player = await enlist(core, database="one")
    (slot,) = moving.slot_with([player])
    async with connected(core.databases["one"].url) as source:
        await source.execute("update players_owned_slots set epoch = epoch + 7 where slot = $1", slot)
    ended = await moving.move(core, [slot], "two")
    assert str(ended.problem).startswith(f"slot {slot}: one owns it under epoch 8, the map has 1")
    assert ended.at(SlotStep.KEPT) == [slot]
    assert (await act(core, player.id)).player.version == 2
    assert owner(core, player.id) == "one"
    async with connected(core.databases["two"].url) as target:
        assert await target.fetchval("select count(*) from players_owned_slots where slot = $1 and owned", slot) == 0


async def _plan(group: str, source: str, target: str, slots: Sequence[int]) -> list[PlannedMove]:
    return [PlannedMove(group, source, target, slots)]


async def test_a_move_to_a_database_whose_tables_are_old_is_refused(core: Core) -> None:
    async with connected(core.databases["two"].url) as connection:
        await connection.execute("update alembic_version_players set version_num = 'players_0001'")
    plans = await sharding.plan_move(core.sharding, "players", slots_of(core, "one"), "two")
    with pytest.raises(Conflict, match="tables of two are at players_0001"):
        await sharding.begin(core.sharding, plans)
    assert await core.sharding.moves.unfinished() == []


async def test_slots_that_are_in_a_move_cannot_be_in_another_one(core: Core) -> None:
    moves = core.sharding.moves
    slots = slots_of(core, "one")
    (first,) = await moves.make([PlannedMove("players", "one", "two", slots[:3])], "tester")
    with pytest.raises(Conflict, match="in a move already"):
        await moves.make(
            [PlannedMove("players", "one", "two", slots[4:6]), PlannedMove("players", "one", "two", slots[2:4])],
            "tester",
        )
    assert [move.id for move in await moves.unfinished()] == [first]


async def test_a_mover_that_has_lost_its_lease_can_record_nothing(core: Core) -> None:
    moves = core.sharding.moves
    slot = slots_of(core, "one")[0]
    (made,) = await moves.make([PlannedMove("players", "one", "two", [slot])], "first")
    late = await moves.take(made, "first")
    with pytest.raises(LeaseLost):
        await moves.take(made, "second")
    epoch = await moves.slots.begin_fencing(late, slot)
    await moving.lapse(core.sharding, core.databases["one"].url)
    now = await moves.take(made, "second")
    for record in (
        moves.slots.flip(late, slot, epoch),
        moves.slots.begin_return(late, slot, epoch),
        moves.advance(late, Step.DONE),
        moves.renew(late),
    ):
        with pytest.raises(LeaseLost):
            await record
    await moves.slots.begin_return(now, slot, epoch)
    with pytest.raises(LeaseLost):
        await moves.slots.flip(now, slot, epoch)
    assert (await moves.find(made)).slots == [SlotRecord(slot, SlotStep.RETURNING, epoch + 1, None)]
    await core.slots.refresh()
    assert core.slots.owner("players", slot).name == "one"


async def test_a_late_fence_of_an_earlier_mover_takes_nothing_away(core: Core) -> None:
    """A mover that was frozen before its fence wakes when the slot has gone back under a higher epoch."""
    player = await enlist(core, database="one")
    (slot,) = moving.slot_with([player])
    moves = core.sharding.moves
    (made,) = await moves.make([PlannedMove("players", "one", "two", [slot])], "first")
    late = await moves.take(made, "first")
    epoch = await moves.slots.begin_fencing(late, slot)
    await moving.lapse(core.sharding, core.databases["one"].url)
    async with copying.opened(core.databases["one"]) as source, copying.opened(core.databases["two"]) as target:
        leased = await core.sharding.mover.take(made, lambda _: None)
        await leased.give_back(source)
        await leased.close()
        with pytest.raises(CutoverDelayed, match="later epoch"):
            await Cutover(moves.slots, source, target).fence(late, slot, epoch)
        assert await source.fetchval("select count(*) from players_marks") == 0
    assert (await act(core, player.id)).player.version == 2
    (answer,) = await settled(core, [order(core, player.id)])
    assert not isinstance(answer, GameError) or isinstance(answer, Refused)


@pytest.mark.parametrize("spelt", [lambda settings: settings, moving.respelt], ids=["as before", "otherwise"])
async def test_whoever_takes_a_move_over_ends_what_the_mover_before_had_open(
    core: Core, settings: Settings, spelt: Callable[[Settings], Settings]
) -> None:
    """A mover that was frozen and wakes finds its connections closed, so it erases and drops nothing any more."""
    player = await enlist(core, database="one")
    plans = await sharding.plan_move(core.sharding, "players", moving.slot_with([player]), "two")
    (made,) = await sharding.begin(core.sharding, plans)
    frozen = await core.sharding.mover.take(made, lambda _: None)
    async with frozen.copy.opened(core.databases["one"]) as source, frozen.copy.opened(core.databases["two"]) as target:
        await moving.lapse(core.sharding, core.databases["one"].url)
        async with working(spelt(settings)) as other:
            await sharding.carry_out(other.sharding, [made], lambda _: None)
        for connection in (source, target):
            with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
                await connection.fetchval("select 1")
    await frozen.close()
    await moving.assert_settled(core)
    assert owner(core, player.id) == "two"


async def test_a_drain_that_is_refused_changes_nothing(core: Core) -> None:
    async with connected(core.databases["two"].url) as connection:
        await connection.execute("update alembic_version_players set version_num = 'players_0001'")
    before = await core.sharding.membership.listed()
    plans = await sharding.plan_drain(core.sharding, "one")
    assert {plan.target for plan in plans} == {"two"}
    with pytest.raises(Conflict, match="tables of two"):
        await sharding.drain(core.sharding, "one", plans)
    assert await core.sharding.membership.listed() == before
    await sharding.drain(core.sharding, "two", [])
    with pytest.raises(Conflict, match="one is the last database"):
        await sharding.drain(core.sharding, "one", [])
    with pytest.raises(Conflict, match="owns"):
        await core.sharding.membership.leave("two")


async def test_a_database_that_joined_and_that_the_settings_of_a_node_do_not_name_leaves_its_map_as_it_is(
    core: Core,
) -> None:
    await core.sharding.membership.join("players", "strange", None)
    await core.slots.refresh()
    assert {database.name for database in core.slots.members("players")} == {"one", "two"}
    player = await enlist(core)
    assert (await act(core, player.id)).player.version == 2
    await core.sharding.membership.leave("strange")
