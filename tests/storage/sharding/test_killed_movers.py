"""A mover that is killed at any step leaves a move that another one ends; no slot stays without an owner."""

import asyncio

import pytest

from gameserver.app import Core
from gameserver.commands import sharding
from gameserver.storage.sharding.move import SlotStep
from gameserver.upkeep import takeover
from tests.storage.sharding import moving
from tests.storage.sharding.killed_mover import STEPS, Killer
from tests.support.deployment import act, enlist_many, owner
from tests.support.wait import wait_until

BEFORE = ["moving", "fence", "flip", "erase"]
AFTER = ["copying", "fencing", "grant", "end"]


@pytest.mark.family(1)
@pytest.mark.timeout(240)
@pytest.mark.parametrize(("when", "steps"), [("before", BEFORE), ("after", AFTER)])
async def test_a_mover_killed_at_a_step_is_followed_by_another_one_that_ends_the_move(
    core: Core, killer: Killer, when: str, steps: list[str]
) -> None:
    """Moves the same slots to and fro, under play, with a kill at another step each time."""
    players = await enlist_many(core, 4, "one")
    slots = moving.slot_with(players)
    targets = ["two", "one"] * len(steps)
    async with moving.playing(core, players) as receipts_by_player:
        for step, target in zip(steps, targets, strict=False):
            await killer.kill_at(slots, target, when, step)
            await moving.lapse(core.sharding, core.databases["one"].url)
            (left,) = await core.sharding.moves.unfinished()
            await sharding.carry_out(core.sharding, [left.id], lambda _: None)
            ended = await core.sharding.moves.find(left.id)
            assert {each.step for each in ended.slots} == {SlotStep.MOVED}, step
            await moving.assert_settled(core)
            assert {owner(core, player.id) for player in players} == {target}
    await moving.assert_nothing_lost(core, receipts_by_player)


@pytest.mark.soak
@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_mover_killed_at_any_step_is_followed_by_another_one(core: Core, killer: Killer, when: str) -> None:
    steps = [step for step in STEPS if (when, step) != ("after", "done")]
    await test_a_mover_killed_at_a_step_is_followed_by_another_one_that_ends_the_move(core, killer, when, steps)


async def test_a_node_takes_over_the_move_of_a_mover_that_died_with_a_slot_fenced(core: Core, killer: Killer) -> None:
    (player,) = await enlist_many(core, 1, "one")
    await killer.kill_at(moving.slot_with([player]), "two", "after", "fence")
    node = asyncio.create_task(takeover.take_over_for_ever(core.sharding))
    try:
        assert (await asyncio.wait_for(act(core, player.id), 15)).player.version == 2

        async def is_over() -> bool:
            return not await core.sharding.moves.unfinished()

        await wait_until(is_over, 20, what="the move is over")
    finally:
        node.cancel()
        await asyncio.wait([node])
    await moving.assert_settled(core)
    assert owner(core, player.id) == "two"
