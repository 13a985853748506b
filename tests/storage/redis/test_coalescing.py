"""Questions that come together are asked together, and each gets its own answer or the one fault."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple, cast

from redis.exceptions import RedisError

from gameserver.coalescing import Bounds
from gameserver.storage.redis.coalescing import BOUNDS, CoalescedScript
from gameserver.storage.redis.scripts import Script


class Question(NamedTuple):
    number: int


class Scripted:
    """Answers each question with itself, and counts how many came together."""

    def __init__(self) -> None:
        self.together: list[int] = []
        self.away = False
        self.refused: set[int] = set()

    async def each(self, calls: Sequence[Any]) -> list[Any]:
        self.together.append(len(calls))
        await asyncio.sleep(0)
        if self.away:
            raise RedisError("away")
        return [RedisError("refused") if call.number in self.refused else call.number for call in calls]


def scripted(bounds: Bounds = BOUNDS) -> tuple[Scripted, CoalescedScript[Question]]:
    script = Scripted()
    return script, CoalescedScript(cast("Script[Question]", script), bounds)


async def test_each_gets_its_own_answer_and_few_round_trips_carry_many_questions() -> None:
    script, ask = scripted()
    assert await asyncio.gather(*(ask(Question(each)) for each in range(250))) == list(range(250))
    assert script.together == [100, 100, 50]
    assert await ask(Question(-1)) == -1


async def test_a_fault_reaches_all_who_asked_and_ends_with_them() -> None:
    script, ask = scripted()
    script.away = True
    faults = await asyncio.gather(*(ask(Question(each)) for each in range(5)), return_exceptions=True)
    assert [type(each) for each in faults] == [RedisError] * 5
    script.away = False
    assert await ask(Question(1)) == 1
    _, ask = scripted(replace(BOUNDS, waiting=2))
    found = await asyncio.gather(*(ask(Question(each)) for each in range(3)), return_exceptions=True)
    assert found[:2] == [0, 1]
    assert isinstance(found[2], RedisError)


async def test_who_leaves_takes_nobody_with_him() -> None:
    _, ask = scripted()
    leaves, stays = asyncio.create_task(ask(Question(1))), asyncio.create_task(ask(Question(2)))
    await asyncio.sleep(0)
    leaves.cancel()
    assert await stays == 2


async def test_a_call_that_is_refused_fails_alone() -> None:
    script, ask = scripted()
    script.refused = {2, 5}
    outcomes = await asyncio.gather(*(ask(Question(each)) for each in range(7)), return_exceptions=True)
    assert [number for number, outcome in enumerate(outcomes) if isinstance(outcome, RedisError)] == [2, 5]
    assert script.together == [7]
