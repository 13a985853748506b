"""Items: the same answers and the same sums, whether they lie with their players or in another database."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from gameserver.app import Core
from gameserver.config.settings import Settings
from gameserver.rules.errors import CommandExpired, CommandMismatch, Refused, SessionRevoked
from gameserver.storage.ids import slot_of
from gameserver.storage.players.command import Receipt
from gameserver.storage.postgres.locks import FENCES
from tests.storage.items.deployment import assert_sums, give, held, move, part, with_studio
from tests.support.client import command_id
from tests.support.deployment import (
    act,
    assert_ledger_explains,
    carrying,
    connected,
    enlist,
    order,
    owner,
    present,
    settled,
    working,
)
from tests.support.wait import wait_until


@pytest.fixture(params=["together", "apart"])
async def placed(request: pytest.FixtureRequest, settings: Settings, tmp_path: Path) -> Settings:
    """A deployment whose items lie with their players, or all in the other database."""
    if request.param == "apart":
        await part(settings)
    return with_studio(settings, tmp_path)


@pytest.fixture
async def core(placed: Settings) -> AsyncIterator[Core]:
    async with working(placed) as opened:
        yield opened


@pytest.fixture
async def second(core: Core, placed: Settings) -> AsyncIterator[Core]:
    async with working(placed) as opened:
        yield opened


async def refusal(core: Core, player_id: int, action: str, key: str | None = None, **args: object) -> Refused:
    with pytest.raises(Refused) as caught:
        await act(core, player_id, action, key, **args)
    return caught.value


async def hurt(core: Core, player_id: int) -> None:
    """Makes sure that the player is up and has lost HP."""
    while True:
        who = await present(core, player_id)
        if 0 < who.hp < core.rulebook.game.max_hp(who.class_name, who.level):
            return
        await act(core, player_id, "revive" if who.hp == 0 else "hunt")


async def test_what_is_granted_is_there_at_once_and_is_used_up(core: Core) -> None:
    player = await enlist(core, "mage", exp=10_000)
    await give(core, player.id, "potion", 2)
    assert await held(core, player.id) == {"potion": 2}
    await hurt(core, player.id)
    before = await held(core, player.id)
    receipt = await act(core, player.id, "use", item="potion")
    used, taken = receipt.events
    assert (used["type"], used["item"], used["count"]) == ("used", "potion", 1)
    assert used["hp"] > 0
    assert taken == {"type": "items_taken", "items": {"potion": 1}}
    assert await held(core, player.id) == dict(Counter(before) - Counter(potion=1))
    await assert_sums(core, player.id)
    await assert_ledger_explains(core, player.id)


async def test_a_player_without_enough_is_refused_and_loses_nothing(core: Core) -> None:
    player = await enlist(core)
    assert (await refusal(core, player.id, "use", item="potion")).code == "not_enough_items"
    await give(core, player.id, "herb", 3)
    short = await refusal(core, player.id, "swap")
    assert (short.code, short.extra) == ("not_enough_items", {"takes": {"herb": 1, "potion": 1}})
    assert (await refusal(core, player.id, "burn", item="herb", count=4)).code == "not_enough_items"
    assert (await refusal(core, player.id, "burn", item="herb", count=2**53 - 1)).code == "not_enough_items"
    assert await held(core, player.id) == {"herb": 3}
    assert (await present(core, player.id)).version == 2
    await assert_sums(core, player.id)


async def test_what_a_rule_refuses_takes_nothing_and_stays_refused_under_its_id(core: Core) -> None:
    player, key = await enlist(core), command_id()
    await give(core, player.id, "potion", 1)
    await give(core, player.id, "herb", 1)
    for _ in range(2):
        assert (await refusal(core, player.id, "use", key, item="potion")).code == "full_hp"
    assert (await refusal(core, player.id, "use", item="herb")).code == "not_usable"
    assert await held(core, player.id) == {"herb": 1, "potion": 1}
    await hurt(core, player.id)
    assert (await refusal(core, player.id, "use", key, item="potion")).code == "full_hp"
    assert await held(core, player.id) == {"herb": 1, "potion": 1}
    receipt = await act(core, player.id, "use", item="potion")
    assert not receipt.replayed
    assert (await held(core, player.id)).get("potion", 0) == await _found(core, player.id)
    await assert_sums(core, player.id)


async def test_a_lack_of_items_is_final_for_its_command_once_nothing_more_is_on_its_way(core: Core) -> None:
    player, key = await enlist(core), command_id()
    await hurt(core, player.id)
    assert (await refusal(core, player.id, "use", key, item="potion")).code == "not_enough_items"
    await give(core, player.id, "potion", 2)
    short = await refusal(core, player.id, "use", key, item="potion")
    assert (short.code, short.extra) == ("not_enough_items", {"takes": {"potion": 1}})
    await act(core, player.id, "use", item="potion")
    assert (await held(core, player.id)).get("potion", 0) == 1 + await _found(core, player.id)
    await assert_sums(core, player.id)


async def test_commands_take_effect_in_the_order_sent_also_when_one_lacks_what_the_next_finds(core: Core) -> None:
    player, key = await enlist(core), command_id()
    short, _ = await asyncio.gather(
        refusal(core, player.id, "burn", key, item="herb"), give(core, player.id, "herb", 1)
    )
    assert short.code == "not_enough_items"
    assert await held(core, player.id) == {"herb": 1}
    assert (await refusal(core, player.id, "burn", key, item="herb")).code == "not_enough_items"
    await act(core, player.id, "burn", item="herb")
    assert await held(core, player.id) == {}
    await assert_sums(core, player.id)


async def _found(core: Core, player_id: int) -> int:
    """The potions that hunts brought in."""
    entries = (await core.commands.play.history.page(player_id, 200, None)).rows
    events = [event for entry in entries if entry.action == "hunt" for event in entry.outcome["events"]]
    return sum(event["items"].get("potion", 0) for event in events if event["type"] == "items_granted")


async def test_what_a_command_grants_and_takes_of_one_item_is_summed_and_reported_once(core: Core) -> None:
    player = await enlist(core)
    await asyncio.gather(give(core, player.id, "potion", 1), give(core, player.id, "herb", 1))
    receipt = await act(core, player.id, "swap")
    assert receipt.events == (
        {"type": "items_taken", "items": {"herb": 1, "potion": 1}},
        {"type": "items_granted", "items": {"herb": 3, "potion": 1}},
    )
    assert await held(core, player.id) == {"herb": 3, "potion": 1}
    await assert_sums(core, player.id)


async def test_commands_that_are_sent_at_once_take_and_grant_in_their_order(core: Core) -> None:
    player = await enlist(core)
    actions = [("find", {"item": "herb"}), ("burn", {"item": "herb"}), ("burn", {"item": "herb"})] * 2
    answers = await settled(core, [order(core, player.id, action, **args) for action, args in actions])
    assert [getattr(answer, "code", "done") for answer in answers] == ["done", "done", "not_enough_items"] * 2
    versions = [answer.player.version for answer in answers if isinstance(answer, Receipt)]
    assert versions == sorted(versions)
    assert await held(core, player.id) == {}
    await assert_sums(core, player.id)


async def test_a_full_stack_gains_no_more_and_what_was_lost_is_reported(core: Core) -> None:
    player, cap = await enlist(core), core.rulebook.game.items["potion"].max_stack
    await give(core, player.id, "potion", cap - 1)
    await give(core, player.id, "potion", 3)
    await act(core, player.id, "burn", item="potion", count=1)
    await give(core, player.id, "potion", 2**53 - 1)
    (stack,) = await core.rooms.players.items(player.id)
    assert (stack.count, stack.lost) == (cap, min(2 + 2**53 - 2, 2**53 - 1))


async def test_a_retry_on_another_node_gets_the_first_answer_and_takes_nothing_more(core: Core, second: Core) -> None:
    player, key = await enlist(core), command_id()
    await give(core, player.id, "herb", 5)
    command = order(core, player.id, "brew", key)
    receipts = await asyncio.gather(*(node.rooms.players.act(command) for node in (core, second, core, second)))
    assert sorted(receipt.replayed for receipt in receipts) == [False, True, True, True]
    later = await act(second, player.id, "brew", key)
    assert later.replayed
    assert {tuple(map(repr, receipt.events)) for receipt in (*receipts, later)} == {
        tuple(map(repr, receipts[0].events))
    }
    assert await held(second, player.id) == {"herb": 3, "potion": 1}
    with pytest.raises(CommandMismatch):
        await act(core, player.id, "burn", key, item="herb")
    await assert_sums(core, player.id)


async def test_a_command_that_is_too_old_or_of_an_ended_session_takes_nothing(core: Core) -> None:
    player = await enlist(core)
    await give(core, player.id, "herb", 2)
    with pytest.raises(CommandExpired):
        await act(core, player.id, "burn", command_id(seconds_ago=3 * 86400), item="herb")
    await core.rooms.accounts.credentials.raise_session_epoch(player.id)
    for item in ("herb", "potion"):
        with pytest.raises(SessionRevoked):
            await act(core, player.id, "burn", item=item)
    assert await held(core, player.id) == {"herb": 2}
    await assert_sums(core, player.id)


async def test_two_nodes_never_take_more_than_there_is(core: Core, second: Core) -> None:
    player = await enlist(core)
    await give(core, player.id, "herb", 7)
    commands = [order(core, player.id, "burn", item="herb", count=2) for _ in range(8)]
    answers = await asyncio.gather(settled(core, commands[:4]), settled(second, commands[4:]))
    codes = Counter(getattr(answer, "code", "done") for part in answers for answer in part)
    assert codes == {"done": 3, "not_enough_items": 5}
    assert await held(core, player.id) == {"herb": 1}
    await assert_sums(core, player.id)


async def test_a_letter_that_grants_items_brings_them_once(core: Core) -> None:
    one, two = await enlist(core), await enlist(core)
    async with carrying(core):
        await asyncio.gather(*(act(core, one.id, "present", player=str(two.id)) for _ in range(3)))
        await wait_until(lambda: _has(core, two.id, {"potion": 6}), what="three gifts have arrived")
    assert await held(core, one.id) == {}
    await assert_sums(core, one.id, two.id)


async def _has(core: Core, player_id: int, items: dict[str, int]) -> bool:
    return await held(core, player_id) == items


class Step(NamedTuple):
    node: int
    player: int
    action: str
    item: str
    number: int


steps = st.lists(
    st.builds(
        Step,
        st.integers(0, 1),
        st.integers(0, 1),
        st.sampled_from(["find", "find", "burn", "brew", "swap"]),
        st.sampled_from(["herb", "potion"]),
        st.integers(1, 60),
    ),
    min_size=1,
    max_size=25,
)


class Model:
    """One player's stacks as they should be."""

    def __init__(self, caps: dict[str, int]) -> None:
        self.caps = caps
        self.counts, self.lost = Counter[str](), Counter[str]()

    def apply(self, step: Step) -> bool:
        """Whether the step takes effect."""
        takes = {"burn": {step.item: step.number}, "brew": {"herb": 2}, "swap": {"herb": 1, "potion": 1}}
        grants = {"find": {step.item: step.number}, "brew": {"potion": 1}, "swap": {"herb": 3, "potion": 1}}
        for item, count in takes.get(step.action, {}).items():
            if self.counts[item] < count:
                return False
        self.counts.subtract(takes.get(step.action, {}))
        for item, count in grants.get(step.action, {}).items():
            fits = min(count, self.caps[item] - self.counts[item])
            self.counts[item] += fits
            self.lost[item] += count - fits
        return True


@hypothesis_settings(max_examples=6)
@given(mix=steps)
async def test_any_steps_on_two_nodes_leave_the_stacks_of_the_model(core: Core, second: Core, mix: list[Step]) -> None:
    nodes, players = (core, second), [await enlist(core), await enlist(core)]
    caps = {name: item.max_stack for name, item in core.rulebook.game.items.items()}
    models = [Model(caps), Model(caps)]
    for step in mix:
        args: dict[str, Any] = {"item": step.item, "count": step.number} if step.action in ("find", "burn") else {}
        expected = models[step.player].apply(step)
        answers = await settled(nodes[step.node], [order(core, players[step.player].id, step.action, **args)])
        assert isinstance(answers[0], Receipt) == expected, (step, answers)
    for player, model in zip(players, models, strict=True):
        stacks = await core.rooms.players.items(player.id)
        assert {stack.item: stack.count for stack in stacks if stack.count} == dict(+model.counts)
        assert {stack.item: stack.lost for stack in stacks if stack.lost} == dict(+model.lost)
        await assert_sums(core, player.id)


async def test_a_node_with_a_stale_idea_of_the_placement_still_takes_and_grants_rightly(
    core: Core, second: Core
) -> None:
    player = await enlist(core, database="one")
    await give(second, player.id, "herb", 10)
    slot = slot_of(player.id)
    for group, target in (("items", "one"), ("items", "two"), ("players", "two"), ("items", "one"), ("players", "one")):
        if core.slots.owner(group, slot).name == target:
            continue
        await move(core, group, slot, target)
        receipt = await act(second, player.id, "burn", item="herb")
        assert not receipt.replayed
        await give(second, player.id, "potion")
        await core.slots.refresh()
        await assert_sums(core, player.id)
    taken = Counter(entry.action for entry in (await core.commands.play.history.page(player.id, 50, None)).rows)["burn"]
    assert await held(second, player.id) == {"herb": 10 - taken, "potion": taken}


async def test_a_batch_without_items_asks_nothing_of_them(core: Core) -> None:
    """Were the stacks or the fence of items touched, the batch would wait for it and miss its deadline."""
    player = await enlist(core)
    await hurt(core, player.id)
    async with connected(core.databases[owner(core, player.id)].url) as connection, connection.transaction():
        await connection.execute(f"select pg_advisory_xact_lock({FENCES['items']})")
        await connection.execute("lock table stacks, item_ledger in access exclusive mode")
        answers = await settled(core, [order(core, player.id, "rest"), order(core, player.id, "revive")])
    assert [getattr(answer, "code", "done") for answer in answers] == ["done", "player_is_up"]
