"""An order of rules under a command id that was used before tells the first one, or that it was another one."""

from datetime import timedelta

import pytest

from gameserver.app import Core
from gameserver.commands import rollouts
from gameserver.rules.errors import CommandMismatch
from gameserver.storage.operators import rule_orders
from tests.commands.test_rollouts import EASIER, SOON, by, passed, read, upkeep
from tests.support.client import command_id

LATER = timedelta(hours=1)


@pytest.fixture(autouse=True)
def short_leads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rule_orders, "SHORTEST_LEAD_SECONDS", 0.5)
    monkeypatch.setattr(rule_orders, "DECISION_LEAD_SECONDS", 0.1)


async def test_a_reversal_isnt_answered_with_a_publication_nor_the_other_way_round(core: Core) -> None:
    context, key, next_key = core.commands.rollouts, command_id(), command_id()
    _, number = await rollouts._in_force(context)
    first = await rollouts.publish(context, read(EASIER), SOON, by(key))
    with pytest.raises(CommandMismatch):
        await rollouts.revert(context, SOON, by(key))
    await passed(core, first)
    await upkeep(core).look()
    reverted = await rollouts.revert(context, LATER, by(next_key))
    assert await rollouts.revert(context, LATER, by(next_key)) == reverted
    with pytest.raises(CommandMismatch):
        await rollouts.publish(context, await context.library.mapping(number), LATER, by(next_key))


async def test_an_order_that_is_sent_again_for_another_moment_is_another_order(core: Core) -> None:
    context, key = core.commands.rollouts, command_id()
    at = context.policy.now() + LATER
    first = await rollouts.publish(context, read(EASIER), at, by(key))
    assert await rollouts.publish(context, read(EASIER), at, by(key)) == first
    assert await rollouts.publish(context, read(EASIER), LATER, by(key)) == first, "from when it was judged on"
    with pytest.raises(CommandMismatch):
        await rollouts.publish(context, read(EASIER), at + timedelta(seconds=1), by(key))
