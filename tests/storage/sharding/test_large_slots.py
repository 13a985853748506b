"""A slot of any size moves: its size decides how many statements that takes, never how long one of them may take."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from gameserver.app import Core
from gameserver.commands import sharding
from gameserver.rules.player import Player
from gameserver.storage.sharding import copying, cutover, digest, pieces
from gameserver.storage.sharding.attempt import MoveProgress
from gameserver.storage.sharding.cutover import Cutover
from gameserver.storage.sharding.move import SlotStep, Step
from gameserver.storage.tables import METADATA
from gameserver.waiting import cancel_and_wait
from tests.storage.sharding import moving
from tests.storage.sharding.killed_mover import Killer
from tests.support.deployment import act, connected, enlist, owner

SLOW = """
create function slow(slot smallint) returns boolean language plpgsql as
$$ begin perform pg_sleep(0.01); return true; end $$;
create policy slow on ledger using (slow(slot)) with check (true);
alter table ledger enable row level security, force row level security
"""
"""Each row of the ledger that a statement looks at takes it ten milliseconds."""
SLOW_PLAYERS = SLOW.replace("0.01", "2").replace(" ledger", " players")
"""Rows that may change, and are summed up under the fence: two seconds each."""
FILL = """
insert into ledger (slot, player_id, command_id, action, args, seed, outcome, version, at, rules)
select slot, player_id, (left(command_id::text, 18) || right(gen_random_uuid()::text, 18))::uuid,
       action, args, seed, outcome, 1000 + number, at, rules
from (select * from ledger where slot = $1 limit 1) as l, generate_series(1, $2::int) as number
"""


@pytest.fixture
async def player(core: Core) -> AsyncIterator[Player]:
    player = await enlist(core, database="one")
    await act(core, player.id)
    yield player
    for move in await core.sharding.moves.unfinished():
        await core.sharding.moves.cancel(move.id)
        await moving.lapse(core.sharding, core.databases["one"].url)
        await sharding.carry_out(core.sharding, [move.id], lambda _: None)


async def fill(core: Core, player: Player, rows: int) -> int:
    """Gives the player's slot so many rows more; the slot."""
    (slot,) = moving.slot_with([player])
    async with connected(core.databases["one"].url) as source:
        await source.execute(FILL, slot, rows)
    return slot


async def rows_on(core: Core, database: str, slot: int) -> int:
    async with connected(core.databases[database].url) as connection:
        return int(await connection.fetchval("select count(*) from ledger where slot = $1", slot))


async def test_a_slot_over_which_no_statement_could_go_in_time_reaches_the_end_of_its_move(
    core: Core, player: Player, monkeypatch: pytest.MonkeyPatch
) -> None:
    slot = await fill(core, player, 200)
    async with connected(core.databases["one"].url) as source:
        await source.execute(SLOW)
    monkeypatch.setattr(pieces, "ROWS", 20)
    monkeypatch.setattr(pieces, "SECONDS", 1.0)
    for room in (copying, digest):
        monkeypatch.setattr(room, "SECONDS", 1.0)
    monkeypatch.setattr(copying, "STATEMENT_SECONDS", 1.0)
    ended = await moving.move(core, [slot], "two")
    assert (ended.step, ended.slots[0].step, ended.problem) == (Step.DONE, SlotStep.MOVED, None)
    assert (await rows_on(core, "one", slot), await rows_on(core, "two", slot)) == (0, 202)
    await moving.assert_settled(core)


@pytest.mark.parametrize("fenced", [False, True], ids=["before its fence", "while nobody may write it"])
async def test_a_slot_that_takes_too_long_to_compare_stays_with_the_reason_and_can_be_written(
    core: Core, player: Player, monkeypatch: pytest.MonkeyPatch, *, fenced: bool
) -> None:
    monkeypatch.setattr(moving, "STANDSTILL_SECONDS", 15)
    monkeypatch.setattr(cutover, "SUM_SECONDS", 1.0)
    monkeypatch.setattr(cutover, "PAUSE_SECONDS", 1.0)
    monkeypatch.setattr(cutover, "OVERRUN_SECONDS", 0.0)
    fence, fences = Cutover.fence, list[int]()

    async def slow_down() -> None:
        async with connected(core.databases["one"].url) as source:
            await source.execute(SLOW_PLAYERS)

    async def slow_down_and_fence(self: Cutover, *args: object) -> float:
        if fenced and not fences:
            await slow_down()
        fences.append(1)
        return await fence(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(Cutover, "fence", slow_down_and_fence)
    if not fenced:
        await slow_down()
    (slot,) = moving.slot_with([player])
    ended = await moving.move(core, [slot], "two")
    assert (ended.step, ended.slots[0].step) == (Step.DONE, SlotStep.KEPT)
    assert f"slot {slot}: comparing its rows takes more than 1 s before its fence" in str(ended.problem)
    assert len(fences) == int(fenced), "it isn't fenced once it is known to be too large"
    async with connected(core.databases["one"].url) as source:
        await source.execute("alter table players disable row level security, no force row level security")
    assert (await act(core, player.id)).player.version == 3
    await moving.assert_settled(core)
    assert owner(core, player.id) == "one"


def slow_sums(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """From the first time that rows are summed up, and for so many seconds, that takes too long."""
    whole, began = Cutover._whole, list[float]()

    async def whole_slowly(self: Cutover, *args: object) -> object:
        began.append(time.monotonic())
        if time.monotonic() < began[0] + seconds:
            await asyncio.Event().wait()
        return await whole(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(Cutover, "_whole", whole_slowly)
    monkeypatch.setattr(cutover, "SUM_SECONDS", 0.5)


async def test_a_disk_that_is_slow_for_a_while_does_not_end_a_move(
    core: Core, player: Player, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow_sums(monkeypatch, 0.9)
    monkeypatch.setattr(cutover, "OVERRUN_SECONDS", 0.6)
    fence = Cutover.fence

    async def fence_in_peace(self: Cutover, *args: object) -> float:
        monkeypatch.setattr(cutover, "SUM_SECONDS", 10.0)
        return await fence(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(Cutover, "fence", fence_in_peace)
    ended = await moving.move(core, moving.slot_with([player]), "two")
    assert (ended.problem, [slot.step for slot in ended.slots]) == (None, [SlotStep.MOVED])
    await moving.assert_settled(core)


async def test_a_move_that_waits_after_sums_that_took_too_long_can_be_cancelled(
    core: Core, player: Player, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow_sums(monkeypatch, float("inf"))
    monkeypatch.setattr(cutover, "OVERRUN_SECONDS", 2 * moving.STANDSTILL_SECONDS)
    plans = await sharding.plan_move(core.sharding, "players", moving.slot_with([player]), "two")
    (made,) = await sharding.begin(core.sharding, plans)
    waits = asyncio.Event()

    def note(progress: MoveProgress) -> None:
        if "comparing its rows takes more than" in progress.note:
            waits.set()

    carrying = asyncio.create_task(sharding.carry_out(core.sharding, [made], note))
    try:
        await asyncio.wait_for(waits.wait(), moving.STANDSTILL_SECONDS)
        await core.sharding.moves.cancel(made)
        await asyncio.wait_for(asyncio.shield(carrying), moving.STANDSTILL_SECONDS)
    finally:
        await cancel_and_wait([carrying])
    ended = await core.sharding.moves.find(made)
    assert (ended.problem, [slot.step for slot in ended.slots]) == (None, [SlotStep.KEPT])
    await moving.assert_settled(core)


async def test_a_base_that_is_brought_up_to_date_has_what_was_under_way_and_what_is_new_and_all_of_it_once(
    core: Core, player: Player, monkeypatch: pytest.MonkeyPatch
) -> None:
    slot = await fill(core, player, 50)
    monkeypatch.setattr(pieces, "ROWS", 7)
    monkeypatch.setattr(digest, "TRANSACTIONS", 2)
    database = core.databases["one"]
    async with connected(database.url) as writing, copying.opened(database) as connection:
        writer = writing.transaction()
        await writer.start()
        await writing.execute(FILL, slot, 5)
        first = await digest.base(connection, "players", slot)
        assert first.digest.tables["ledger"][0] == 52
        for _ in range(9):
            await fill(core, player, 1)
        await writer.commit()
        second = await digest.renewed(connection, "players", slot, first)
        assert (second.digest.tables["ledger"][0], second.is_fresh) == (66, False)
        third = await digest.renewed(connection, "players", slot, second)
        while not third.is_fresh:  # as long as others make transactions meanwhile
            third = await digest.renewed(connection, "players", slot, third)
        assert third.digest == second.digest
        await fill(core, player, 3)
        anew = await digest.base(connection, "players", slot)
        for base in (first, second, third, anew):
            assert await digest.whole(connection, "players", slot, base) == await digest.whole(
                connection, "players", slot, anew
            )


@pytest.mark.parametrize("rows", [1, 2, 3, 50])
async def test_the_pieces_of_a_slot_have_each_of_its_rows_once(
    core: Core, player: Player, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    slot = await fill(core, player, 4)
    monkeypatch.setattr(pieces, "ROWS", rows)
    async with connected(core.databases["one"].url) as connection:
        ledger, found = METADATA["players"].tables["ledger"], list[object]()
        async for piece in pieces.pieces(connection, ledger, slot):
            query = f"select command_id from ledger where {piece.condition}"
            some = await connection.fetch(query, *piece.values)
            assert len(some) <= rows
            found += [row["command_id"] for row in some]
        assert len(found) == len(set(found)) == 6


async def test_an_erasure_that_is_killed_between_two_pieces_leaves_the_rest_to_the_next_mover(
    core: Core, player: Player, killer: Killer
) -> None:
    slot = await fill(core, player, 2 * pieces.ROWS)
    await killer.kill_at([slot], "two", "after", "piece")
    assert await rows_on(core, "one", slot) == pieces.ROWS + 2
    await moving.lapse(core.sharding, core.databases["one"].url)
    (left,) = await core.sharding.moves.unfinished()
    await sharding.carry_out(core.sharding, [left.id], lambda _: None)
    await moving.assert_settled(core)
    assert await rows_on(core, "two", slot) == 2 * pieces.ROWS + 2
    assert owner(core, player.id) == "two"
