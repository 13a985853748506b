"""Questions share calls within their bounds, and each gets its own reply, the fault of its call, or a refusal."""

import asyncio
from collections.abc import Sequence

import pytest

from gameserver.coalescing import Bounds, Coalescer
from tests.support.wait import wait_until


class RefusedError(Exception):
    """What the bounds don't admit."""


class Service:
    """Answers each question with itself, when it is let."""

    def __init__(self, bounds: Bounds) -> None:
        self.calls: list[list[int]] = []
        self.under_way = self.most = 0
        self.go = asyncio.Event()
        self.fault: Exception | None = None
        self.coalescer: Coalescer[int, int] = Coalescer(self.call, bounds, RefusedError)

    async def call(self, questions: Sequence[int]) -> Sequence[int | Exception]:
        self.calls.append(list(questions))
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await self.go.wait()
        finally:
            self.under_way -= 1
        if self.fault is not None:
            raise self.fault
        return [question if question >= 0 else ValueError(question) for question in questions]


BOUNDS = Bounds(flights=2, together=3, waiting=10, seconds=5.0)


async def test_no_more_calls_are_under_way_and_no_more_questions_in_one_than_allowed() -> None:
    service = Service(BOUNDS)
    replies = [service.coalescer.ask(number) for number in range(10)]
    await wait_until(lambda: len(service.calls) > 1, what="two calls are under way")
    await asyncio.sleep(0.01)
    assert service.calls == [[0, 1, 2], [3, 4, 5]]
    replies += [service.coalescer.ask(number) for number in range(10, 16)]
    service.go.set()
    assert await asyncio.gather(*replies) == list(range(16))
    assert service.most == 2
    assert [len(call) for call in service.calls] == [3, 3, 3, 3, 3, 1]
    assert await service.coalescer.ask(99) == 99


async def test_more_than_may_wait_are_refused_at_once() -> None:
    service = Service(BOUNDS)
    replies = [service.coalescer.ask(number) for number in range(10)]
    with pytest.raises(RefusedError):
        service.coalescer.ask(10)
    service.go.set()
    assert await asyncio.gather(*replies) == list(range(10))


async def test_a_question_that_waited_too_long_is_refused_and_never_asked() -> None:
    service = Service(Bounds(flights=1, together=3, waiting=10, seconds=0.02))
    first = service.coalescer.ask(1)
    await asyncio.sleep(0)
    late = [service.coalescer.ask(number) for number in (2, 3)]
    await asyncio.sleep(0.03)
    young = service.coalescer.ask(4)
    service.go.set()
    assert [await first, await young] == [1, 4]
    assert {type(reply.exception()) for reply in late} == {RefusedError}
    assert service.calls == [[1], [4]]


async def test_a_fault_reaches_everyone_in_the_call_and_a_reply_may_be_a_fault_of_its_own() -> None:
    service = Service(BOUNDS)
    service.go.set()
    replies = [service.coalescer.ask(number) for number in (1, -2, 3)]
    assert [type(reply) for reply in await asyncio.gather(*replies, return_exceptions=True)] == [int, ValueError, int]
    service.fault = KeyError("away")
    faults = await asyncio.gather(*(service.coalescer.ask(1) for _ in range(4)), return_exceptions=True)
    assert [type(fault) for fault in faults] == [KeyError] * 4
    assert len({id(fault) for fault in faults}) == 4
    service.fault = None
    assert await service.coalescer.ask(5) == 5


async def test_whoever_leaves_takes_nobody_along() -> None:
    service = Service(BOUNDS)
    leaves, stays = service.coalescer.ask(1), service.coalescer.ask(2)
    leaves.cancel()
    service.go.set()
    assert await stays == 2


async def test_a_closed_one_answers_whatever_was_asked() -> None:
    service = Service(BOUNDS)
    replies = [service.coalescer.ask(number) for number in range(9)]
    await asyncio.sleep(0.01)
    await service.coalescer.close()
    assert {type(reply.exception()) for reply in replies} == {RefusedError}
    with pytest.raises(RefusedError):
        service.coalescer.ask(1)
    assert service.under_way == 0


async def test_who_asks_again_on_hearing_a_reply_is_answered() -> None:
    service = Service(Bounds(flights=1, together=3, waiting=10, seconds=5.0))
    service.go.set()
    async with asyncio.timeout(5):
        for number in range(10):
            assert await service.coalescer.ask(number) == number
