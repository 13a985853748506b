"""Questions that come together are asked together, and each gets its own answer or the one fault."""

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import pytest
from redis.exceptions import RedisError

from gameserver.storage.redis import coalescing
from gameserver.storage.redis.coalescing import Coalesced
from gameserver.storage.redis.scripts import Script


class Question(NamedTuple):
    number: int


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
        return [call.number for call in calls]


def scripted() -> tuple[Scripted, Coalesced[Question]]:
    script = Scripted()
    return script, Coalesced(cast("Script[Question]", script))


async def test_each_gets_its_own_answer_and_few_round_trips_carry_many_questions() -> None:
    script, ask = scripted()
    assert await asyncio.gather(*(ask(Question(each)) for each in range(250))) == list(range(250))
    assert script.together == [100, 100, 50]
    assert await ask(Question(-1)) == -1


async def test_a_fault_reaches_all_who_asked_and_ends_with_them(monkeypatch: pytest.MonkeyPatch) -> None:
    script, ask = scripted()
    script.away = True
    faults = await asyncio.gather(*(ask(Question(each)) for each in range(5)), return_exceptions=True)
    assert [type(each) for each in faults] == [RedisError] * 5
    script.away = False
    assert await ask(Question(1)) == 1
    monkeypatch.setattr(coalescing, "WAITING", 2)
    found = await asyncio.gather(*(ask(Question(each)) for each in range(3)), return_exceptions=True)
    assert found[:2] == [0, 1]
    assert isinstance(found[2], RedisError)


async def test_who_leaves_takes_nobody_with_him() -> None:
    _, ask = scripted()
    leaves, stays = asyncio.create_task(ask(Question(1))), asyncio.create_task(ask(Question(2)))
    await asyncio.sleep(0)
    leaves.cancel()
    assert await stays == 2
