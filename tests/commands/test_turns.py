"""One player's changes take turns, and nobody waits for a turn without a bound."""

import asyncio

import pytest

from gameserver.commands import turns
from gameserver.commands.turns import Turns
from gameserver.rules.errors import TooManyChanges
from gameserver.waiting import cancel_and_wait

PLAYER = 1
WITHIN = 10.0


async def test_who_comes_when_a_turn_has_just_been_left_to_another_waits_no_longer_than_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(turns, "LONGEST_SECONDS", 0.05)
    of_node, over = Turns(), asyncio.Event()

    async def hold() -> None:
        async with of_node.change(PLAYER):
            await over.wait()

    async with of_node.change(PLAYER):
        second = asyncio.create_task(hold())
        await asyncio.sleep(0)
    # The second has been chosen, and hasn't run yet.
    async with asyncio.timeout(WITHIN):
        with pytest.raises(TooManyChanges):
            async with of_node.change(PLAYER):
                pass
    await cancel_and_wait([second])
