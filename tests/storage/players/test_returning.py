"""A batch waits a moment for the players of the last one, and a lone player never waits."""

import asyncio
import contextlib

from prometheus_client import REGISTRY

from gameserver.app import Core
from gameserver.rules.errors import Refused
from gameserver.storage.players.returning import LONGEST_SECONDS, Returning
from tests.support.deployment import act, enlist_many

ROUNDS = 10


def begins_at_once(returning: Returning, ready: int) -> bool:
    waiting = returning.wait(range(ready))
    try:
        waiting.send(None)
    except StopIteration:
        return True
    waiting.close()
    return False


async def test_a_lone_player_never_waits() -> None:
    returning = Returning()
    assert begins_at_once(returning, 1)
    returning.note(1, 60.0)
    assert begins_at_once(returning, 1)


async def test_when_all_that_may_act_are_ready_nobody_waits() -> None:
    returning = Returning()
    returning.note(20, 60.0)
    assert begins_at_once(returning, 20)
    assert not begins_at_once(returning, 19)


async def test_those_that_do_not_come_are_waited_for_only_a_moment() -> None:
    returning = Returning()
    returning.note(20, 60.0)
    async with asyncio.timeout(LONGEST_SECONDS + 5):
        await returning.wait(range(1))
    assert begins_at_once(returning, 1)


def transactions() -> float:
    return REGISTRY.get_sample_value("gameserver_commit_players_count", {"database": "one"}) or 0.0


async def test_players_that_act_again_at_once_share_one_transaction(core: Core) -> None:
    players = await enlist_many(core, 20, database="one")

    async def play(player_id: int) -> None:
        for _ in range(ROUNDS):
            with contextlib.suppress(Refused):  # a player that has lost too often
                await act(core, player_id)

    async with asyncio.TaskGroup() as group:
        for player in players[:10]:
            group.create_task(play(player.id))
        # The others come while the first ones' transaction is in flight.
        await asyncio.sleep(0.001)
        before = transactions()
        for player in players[10:]:
            group.create_task(play(player.id))
    assert transactions() - before < 1.5 * ROUNDS
