"""Moves that wait: for a server, while others go on; and for each other, since a server copies one at a time."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Any

import asyncpg
import pytest
from prometheus_client import REGISTRY

from gameserver.app import Core
from gameserver.commands import sharding
from gameserver.rules.errors import Conflict, DatabaseUnavailable
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.driver import DriverConnection
from gameserver.storage.sharding import attempt, copy_turn, mover
from gameserver.storage.sharding.attempt import Attempt, CopyFailed, MoveProgress
from gameserver.storage.sharding.copying import Copy, CopyProgress
from gameserver.storage.sharding.cutover import CutoverDelayed
from gameserver.storage.sharding.move import MoveRecord, PlannedMove, SlotStep, Step
from gameserver.upkeep import takeover
from gameserver.upkeep.open_moves import OpenMoves
from gameserver.waiting import cancel_and_wait
from tests.storage.sharding import moving
from tests.support.client import command_id
from tests.support.deployment import connected, slots_of, superuser
from tests.support.servers import Servers
from tests.support.wait import wait_until


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    for room, name in ((sharding, "LOOK_SECONDS"), (takeover, "LOOK_SECONDS"), (mover, "RETRY_SECONDS")):
        monkeypatch.setattr(room, name, 0.1)


async def ordered(core: Core, count: int) -> list[int]:
    """Moves of a slot each from `one` to `two`, which nobody has taken; their ids."""
    plans = [PlannedMove("players", "one", "two", [slot]) for slot in slots_of(core, "one")[:count]]
    return await core.sharding.moves.order(plans, command_id())


@contextmanager
def servers_away(monkeypatch: pytest.MonkeyPatch, ids: Collection[int]) -> Iterator[None]:
    """While the block runs these moves reach none of their servers."""
    opened = Copy.opened

    def refuse(self: Copy, database: Database) -> AbstractAsyncContextManager[DriverConnection]:
        if int(self.name.rpartition("_")[2]) in ids:
            raise ConnectionRefusedError
        return opened(self, database)

    with monkeypatch.context() as away:
        away.setattr(Copy, "opened", refuse)
        yield


async def all_moved(core: Core, ids: Collection[int]) -> bool:
    return await slots_at(core, ids) == {SlotStep.MOVED} and not await core.sharding.moves.unfinished()


async def slots_at(core: Core, ids: Collection[int]) -> set[SlotStep]:
    return {slot.step for move_id in ids for slot in (await core.sharding.moves.find(move_id)).slots}


@pytest.mark.parametrize("by", ["a command", "a node"])
async def test_a_move_that_waits_for_a_server_holds_up_no_other_one(
    core: Core, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    held_up, other = await ordered(core, 2)
    works = {
        "a command": lambda: sharding.carry_out(core.sharding, [held_up, other], lambda _: None),
        "a node": lambda: takeover.take_over_for_ever(core.sharding),
    }

    async def only_the_first_is_left() -> bool:
        return [move.id for move in await core.sharding.moves.unfinished()] == [held_up]

    task = asyncio.create_task(works[by]())
    try:
        with servers_away(monkeypatch, [held_up]):
            await wait_until(only_the_first_is_left, moving.STANDSTILL_SECONDS, "the other move is over")
        await wait_until(lambda: all_moved(core, [held_up, other]), moving.STANDSTILL_SECONDS, "both are over")
    finally:
        await cancel_and_wait([task])
    await moving.assert_settled(core)


async def test_of_moves_that_have_waited_for_a_server_one_copies_at_a_time(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids, copying, most = await ordered(core, 3), set[str](), 0
    begin, copied = Copy.begin, Copy.copied

    async def begin_and_count(self: Copy, *args: object) -> None:
        nonlocal most
        copying.add(self.name)
        most = max(most, len(copying))
        await begin(self, *args)  # type: ignore[arg-type]

    async def copied_and_count(self: Copy, *args: object) -> CopyProgress:
        progress = await copied(self, *args)
        if progress.ready:
            copying.discard(self.name)
        return progress

    async def all_wait() -> bool:
        return all(move.problem for move in await core.sharding.moves.unfinished())

    monkeypatch.setattr(Copy, "begin", begin_and_count)
    monkeypatch.setattr(Copy, "copied", copied_and_count)
    task = asyncio.create_task(takeover.take_over_for_ever(core.sharding))
    try:
        with servers_away(monkeypatch, ids):
            await wait_until(all_wait, moving.STANDSTILL_SECONDS, "all moves wait for their servers")
        await wait_until(lambda: all_moved(core, ids), moving.STANDSTILL_SECONDS, "all are over")
    finally:
        await cancel_and_wait([task])
    assert most == 1
    await moving.assert_settled(core)


async def test_a_move_that_waits_for_another_ones_copy_can_be_cancelled(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = await ordered(core, 2)
    moves, tasks = core.sharding.moves, list[asyncio.Task[None]]()

    async def is_never_ready(*_: object) -> CopyProgress:
        return CopyProgress(0, 1, ready=False, errors=0)

    def begin(move_id: int) -> None:
        tasks.append(asyncio.create_task(sharding.carry_out(core.sharding, [move_id], lambda _: None)))

    async def first_copies() -> bool:
        return (await moves.find(first)).step is Step.COPYING

    async def second_waits() -> bool:
        return (await moves.find(second)).problem == "another move is copied to two first"

    monkeypatch.setattr(Copy, "copied", is_never_ready)
    try:
        begin(first)
        await wait_until(first_copies, moving.STANDSTILL_SECONDS, "the first copies")
        begin(second)
        await wait_until(second_waits, moving.STANDSTILL_SECONDS, "the second waits")
        for move_id in (second, first):
            await moves.cancel(move_id)
            await asyncio.wait_for(tasks.pop(), moving.STANDSTILL_SECONDS)
    finally:
        await cancel_and_wait(tasks)
    assert await slots_at(core, [first, second]) == {SlotStep.KEPT}
    await moving.assert_settled(core)


async def test_a_move_that_goes_on_with_its_copy_after_its_turn_came_waits_for_nothing_and_ages(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = await ordered(core, 2)
    moves, tasks, looks, now = core.sharding.moves, list[asyncio.Task[None]](), Counter[str](), 0.0
    figures = OpenMoves(core.sharding, lambda: now)

    async def is_never_ready(self: Copy, *_: object) -> CopyProgress:
        looks[self.name] += 1
        return CopyProgress(0, 1, ready=False, errors=0)

    async def begin(move_id: int) -> None:
        before = looks.total()
        tasks.append(asyncio.create_task(sharding.carry_out(core.sharding, [move_id], lambda _: None)))
        await wait_until(lambda: looks.total() > before, moving.STANDSTILL_SECONDS, f"move {move_id} copies")

    async def first_waits() -> bool:
        return (await moves.find(first)).waits_its_turn

    monkeypatch.setattr(Copy, "copied", is_never_ready)
    try:
        await begin(first)
        await cancel_and_wait([tasks.pop()])
        await begin(second)
        tasks.append(asyncio.create_task(sharding.carry_out(core.sharding, [first], lambda _: None)))
        await wait_until(first_waits, moving.STANDSTILL_SECONDS, "the first waits amid its copy")
        await moves.cancel(second)
        await asyncio.wait_for(tasks.pop(0), moving.STANDSTILL_SECONDS)
        before = looks.total()
        await wait_until(lambda: looks.total() > before, moving.STANDSTILL_SECONDS, "the first copies again")
        found = await moves.find(first)
        assert (found.step, found.problem) == (Step.COPYING, None)
        figures.show([found], {})
        now = 700.0
        figures.show([await moves.find(first)], {})
        assert REGISTRY.get_sample_value("gameserver_move_progress_age_seconds") == 700
        await moves.cancel(first)
        await asyncio.wait_for(tasks.pop(), moving.STANDSTILL_SECONDS)
    finally:
        await cancel_and_wait(tasks)
    await moving.assert_settled(core)


@pytest.mark.parametrize(
    ("error", "waits"),
    [
        (ConnectionRefusedError("no"), True),
        (DatabaseUnavailable("no", retry_after=1), True),
        (CopyFailed("no"), True),
        (ValueError("no"), True),
        (CutoverDelayed("no"), False),
        (Conflict("no"), False),
        (asyncpg.LockNotAvailableError("no"), False),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_only_a_move_whose_server_is_lost_or_whose_copy_fails_leaves_room_for_another_one(
    core: Core, monkeypatch: pytest.MonkeyPatch, error: Exception, *, waits: bool
) -> None:
    (move_id,) = await ordered(core, 1)
    failed = asyncio.Event()

    async def fail(*_: object) -> MoveRecord:
        raise error

    def note(progress: MoveProgress) -> None:
        if progress.note == "no":
            failed.set()

    monkeypatch.setattr(Attempt, "carry_out", fail)
    leased = await core.sharding.mover.take(move_id, note)
    going_on = asyncio.create_task(leased.go_on())
    try:
        await asyncio.wait_for(failed.wait(), moving.STANDSTILL_SECONDS)
        assert leased.waits is waits
    finally:
        await cancel_and_wait([going_on])
        await leased.close()


async def test_a_copy_that_fails_again_and_again_holds_up_no_other_one(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids, errors, copied = await ordered(core, 3), itertools.count(1), Copy.copied
    failing, enabled = ids[:2], set[int]()

    async def fail_or_look(self: Copy, source: asyncpg.Connection, target: asyncpg.Connection) -> CopyProgress:
        enabled.add(await target.fetchval("select count(*) from pg_subscription where subenabled"))
        if int(self.name.rpartition("_")[2]) in failing:
            return CopyProgress(0, 1, ready=False, errors=next(errors))
        return await copied(self, source, target)

    async def the_others_are_left() -> bool:
        return [move.id for move in await core.sharding.moves.unfinished()] == ids[:2]

    monkeypatch.setattr(attempt, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(Copy, "copied", fail_or_look)
    task = asyncio.create_task(takeover.take_over_for_ever(core.sharding))
    try:
        await wait_until(the_others_are_left, moving.STANDSTILL_SECONDS, "the move whose copy doesn't fail is over")
        failing.clear()
        await wait_until(lambda: all_moved(core, ids), moving.STANDSTILL_SECONDS, "all are over")
    finally:
        await cancel_and_wait([task])
    assert enabled == {1}, "one copy goes on at a time"
    await moving.assert_settled(core)


async def test_a_mover_that_freezes_while_it_copies_loses_its_turn_to_one_that_waits(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = await ordered(core, 2)
    moves, frozen, copied = core.sharding.moves, asyncio.Event(), Copy.copied

    async def freeze_or_look(self: Copy, *args: asyncpg.Connection) -> CopyProgress:
        if self.name.endswith(f"_{first}"):
            frozen.set()
            await asyncio.Event().wait()
        return await copied(self, *args)

    async def second_waits() -> bool:
        return (await moves.find(second)).problem == "another move is copied to two first"

    monkeypatch.setattr(copy_turn, "LOOK_SECONDS", 0.1)
    holder = await core.sharding.mover.take(first, lambda _: None)
    with monkeypatch.context() as freezing:
        freezing.setattr(Copy, "copied", freeze_or_look)
        tasks: list[asyncio.Task[Any]] = [asyncio.create_task(holder.go_on())]
        try:
            await asyncio.wait_for(frozen.wait(), moving.STANDSTILL_SECONDS)
            tasks.append(asyncio.create_task(sharding.carry_out(core.sharding, [second], lambda _: None)))
            await wait_until(second_waits, moving.STANDSTILL_SECONDS, "the second waits while the first is leased")
            await holder.close()  # a frozen mover renews no lease
            await asyncio.wait_for(tasks[1], moving.STANDSTILL_SECONDS)
        finally:
            await cancel_and_wait(tasks)
    assert await slots_at(core, [second]) == {SlotStep.MOVED}
    await sharding.carry_out(core.sharding, [first], lambda _: None)
    assert await all_moved(core, [first, second])
    await moving.assert_settled(core)


@pytest.mark.parametrize("moment", ["while it is copied", "when it is fenced"])
async def test_a_move_is_paused_while_its_copy_would_acknowledge_in_place_of_a_standby(
    core: Core, servers: Servers, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    plan = PlannedMove("players", "two", "one", slots_of(core, "two")[:1])
    (move_id,) = await core.sharding.moves.order([plan], command_id())

    async def lasts(*_: object) -> None:
        await asyncio.Event().wait()

    async def is_on() -> bool:
        async with connected(core.databases["one"].url) as target:
            return bool(await target.fetchval("select exists (select from pg_subscription where subenabled)"))

    async def is_paused() -> bool:
        problem = (await core.sharding.moves.find(move_id)).problem or ""
        return "the copy of a move would count as one" in problem and not await is_on()

    with monkeypatch.context() as slow:
        slow.setattr(*moving.STEPS[moment], lasts)
        task = asyncio.create_task(sharding.carry_out(core.sharding, [move_id], lambda _: None))
        try:
            await wait_until(is_on, moving.STANDSTILL_SECONDS, "it copies")
            async with waiting_for_any_standby(servers, core, "two"):
                await wait_until(is_paused, moving.STANDSTILL_SECONDS, "it is paused")
            slow.undo()
            await asyncio.wait_for(task, moving.STANDSTILL_SECONDS)
        finally:
            await cancel_and_wait([task])
    assert await slots_at(core, [move_id]) == {SlotStep.MOVED}
    await moving.assert_settled(core)


@asynccontextmanager
async def waiting_for_any_standby(servers: Servers, core: Core, database: str) -> AsyncIterator[None]:
    """Commits of a server wait for any standby, of which there is none."""
    async with superuser(servers, core, database) as connection:
        await connection.execute("alter system set synchronous_standby_names = '*'")
        try:
            await connection.execute("select pg_reload_conf()")
            yield
        finally:
            await connection.execute("alter system reset synchronous_standby_names")
            await connection.execute("select pg_reload_conf()")
