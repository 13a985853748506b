"""Questions that come together are asked together, and each gets its own answer or the one fault."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from redis.exceptions import RedisError

from gameserver.storage.redis import coalescing
from gameserver.storage.redis.coalescing import Coalesced


class Scripted:
    """Answers with what it was asked, and remembers how many came together."""

    def __init__(self) -> None:
        self.together: list[int] = []
        self.away = False

    async def many(self, calls: Sequence[Any]) -> list[Any]:
        self.together.append(len(calls))
        await asyncio.sleep(0)
        if self.away:
            raise RedisError("away")
        return [arguments[0] for _, arguments in calls]


async def test_each_gets_its_own_answer_and_few_round_trips_carry_many_questions() -> None:
    script = Scripted()
    ask = Coalesced(script)  # type: ignore[arg-type]
    assert await asyncio.gather(*(ask([], [each]) for each in range(250))) == list(range(250))
    assert script.together == [100, 100, 50]
    assert await ask([], ["alone"]) == "alone"


async def test_a_fault_reaches_all_who_asked_and_ends_with_them(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Scripted()
    ask = Coalesced(script)  # type: ignore[arg-type]
    script.away = True
    faults = await asyncio.gather(*(ask([], [each]) for each in range(5)), return_exceptions=True)
    assert [type(each) for each in faults] == [RedisError] * 5
    script.away = False
    assert await ask([], [1]) == 1
    monkeypatch.setattr(coalescing, "WAITING", 2)
    found = await asyncio.gather(*(ask([], [each]) for each in range(3)), return_exceptions=True)
    assert found[:2] == [0, 1]
    assert isinstance(found[2], RedisError)


async def test_who_leaves_takes_nobody_with_him() -> None:
    ask = Coalesced(Scripted())  # type: ignore[arg-type]
    leaves, stays = asyncio.create_task(ask([], [1])), asyncio.create_task(ask([], [2]))
    await asyncio.sleep(0)
    leaves.cancel()
    assert await stays == 2
